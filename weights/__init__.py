"""Checkpoints: the rules of each family (a file a family), and the scripts that fetch or train the zoo's weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from trtnet.checkpoint import Source, open_checkpoint
from trtnet.checkpoint.quantized.quantization import Quantization, quantization_of
from trtnet.checkpoint.rules import UNWRAP, RuleSet
from trtnet.checkpoint.rules.ruleset import parse as parse_rules, read as read_rules
from trtnet.support.errors import CheckpointError

__all__ = [
    "Detected",
    "Quantization",
    "RuleSet",
    "detect",
    "families",
    "parse_rules",
    "quantization_of",
    "read_rules",
    "rules",
]

_FOLDER = Path(__file__).parent


def families() -> list[str]:
    """The names of all rule sets."""
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


@lru_cache
def rules(family: str) -> RuleSet:
    """The rules that turn a family's checkpoints into those of the zoo's models.

    ``rules("vit").apply(path)`` is a checkpoint for trtnet.define; ``rules("vit").inverse()`` converts back.
    ``rules("unwrap")`` belongs to no family: it removes the names of wrappers such as ``_orig_mod``.
    Raises CheckpointError for a family without rules.
    """
    if family == UNWRAP.name:
        return UNWRAP
    if family not in families():
        raise CheckpointError(f"there are no rules for {family!r}; there are {', '.join(families())}")
    return replace(read_rules(_FOLDER / f"{family}.toml"), name=family)


@dataclass(frozen=True)
class Detected:
    """What a checkpoint is. family: whose rules apply to it, None if unknown. quantization: None for floats."""

    family: str | None
    quantization: Quantization | None


def detect(source: Source) -> Detected:
    """The family whose signs a checkpoint has, and the format and schemes of its quantized weights; reads shapes.

    Raises CheckpointError if it cannot be read, and for quantized weights that do not fit their scales.
    """
    checkpoint = open_checkpoint(source)
    quantization = quantization_of(checkpoint)
    plain = checkpoint if quantization is None else quantization.dequantized()
    fitting = [family for family in families() if rules(family).fits(plain)]
    return Detected(max(fitting, key=lambda family: len(rules(family).signs[0].text), default=None), quantization)
