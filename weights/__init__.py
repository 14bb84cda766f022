"""Checkpoints: the rules of each family (a file a family), and the scripts that fetch or train the zoo's weights."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from trtnet.checkpoint import Source, open_checkpoint
from trtnet.checkpoint.rules import UNWRAP, RuleSet
from trtnet.checkpoint.rules.ruleset import parse as parse_rules, read as read_rules
from trtnet.support.errors import CheckpointError

__all__ = ["RuleSet", "detect", "families", "parse_rules", "read_rules", "rules"]

_FOLDER = Path(__file__).parent


def families() -> list[str]:
    """The names of all rule sets."""
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


@lru_cache
def rules(family: str) -> RuleSet:
    """The rules that turn a family's checkpoints into those of the zoo's models.

    ``rules("vit").apply(path)`` is a checkpoint as trtnet.define takes it; ``rules("vit").inverse()`` goes back.
    ``rules("unwrap")`` is of no family: it leaves out the names of wrappers such as ``_orig_mod``.
    Raises CheckpointError for a family that has none.
    """
    if family == UNWRAP.name:
        return UNWRAP
    if family not in families():
        raise CheckpointError(f"there are no rules for {family!r}; there are {', '.join(families())}")
    return read_rules(_FOLDER / f"{family}.toml")


def detect(source: Source) -> str | None:
    """The family whose signs a checkpoint has, None for an unknown one; reads no data.

    Raises CheckpointError if it cannot be read.
    """
    checkpoint = open_checkpoint(source)
    fitting = [family for family in families() if rules(family).fits(checkpoint)]
    return max(fitting, key=lambda family: len(rules(family).signs[0].text), default=None)
