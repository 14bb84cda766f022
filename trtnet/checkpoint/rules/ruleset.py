"""A family's rules, read from a file, applied to a checkpoint, and turned around."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.reading import Source, open_checkpoint
from trtnet.checkpoint.rules.lazy_tensors import Converted, tensors_of
from trtnet.checkpoint.rules.parse import make
from trtnet.checkpoint.rules.pattern import Pattern, pattern
from trtnet.checkpoint.rules.rule import Rule, applied
from trtnet.support.errors import CheckpointError

LARGEST_FILE = 1 << 20

SECTIONS: dict[str, tuple[type, str]] = {
    "about": (str, "text"),
    "signs": (list, "a list of patterns"),
    "rules": (list, "a list of tables, each under [[rules]]"),
}
"""What a rule file has -> its type, and that in words."""

T = TypeVar("T")


@dataclass(frozen=True)
class RuleSet:
    """Rules in order. about: a line on what they are for. signs: patterns, each of some key of such a checkpoint."""

    name: str
    rules: tuple[Rule, ...]
    about: str = ""
    signs: tuple[Pattern, ...] = ()

    def apply(self, source: Source) -> Checkpoint:
        """The checkpoint as the rules show it: keys and shapes at once, data when a tensor is asked for.

        Raises CheckpointError, naming the rule set, where a rule does not fit, or matches nothing and is not optional.
        """
        checkpoint = open_checkpoint(source)
        tensors = tensors_of(checkpoint)
        for number, rule in enumerate(self.rules, start=1):
            try:
                tensors = applied(rule, tensors)
            except (CheckpointError, ValueError) as error:
                kind = type(rule).__name__.lower()
                raise CheckpointError(f"{checkpoint.name}: rule {number} ({kind}) of {self.name}: {error}") from error
        return Converted(checkpoint, tensors)

    def inverse(self) -> RuleSet:
        """The rules of the way back. Raises CheckpointError for a rule that loses something."""
        back: list[Rule] = []
        for number, rule in reversed(list(enumerate(self.rules, start=1))):
            inverse = rule.inverse()
            if inverse is None:
                kind = type(rule).__name__.lower()
                raise CheckpointError(f"{self.name} has no inverse: rule {number} ({kind}) loses information")
            back.append(replace(inverse, optional=rule.optional))
        return RuleSet(f"{self.name} backwards", tuple(back), self.about)

    def fits(self, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint has all signs of this family."""
        return bool(self.signs) and all(any(sign.search(key) for key in checkpoint) for sign in self.signs)


def read(path: str | os.PathLike[str]) -> RuleSet:
    """Reads a rule file (TOML). Raises CheckpointError if it cannot be read or is not one."""
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise CheckpointError(f"{path} is not a rule file: it is not a regular file")
        if Path(path).stat().st_size > LARGEST_FILE:
            raise CheckpointError(f"{path} is not a rule file: it has more than {LARGEST_FILE:,} bytes")
        text = Path(path).read_text("utf-8")
    # ValueError: text that is not UTF-8, or a name that no file can have
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read the rules {path}: {getattr(error, 'strerror', '') or error}") from error
    return parse(text, os.fspath(path))


def parse(text: str, name: str) -> RuleSet:
    """Reads the text of a rule file. Raises CheckpointError that names the rule and what is wrong with it."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise CheckpointError(f"the rules {name} are not TOML: {error}") from error
    if unknown := sorted(set(document) - set(SECTIONS)):
        raise CheckpointError(
            f"the rules {name}: a rule file has about, signs and [[rules]], found {', '.join(unknown)}"
        )
    for section, (kind, words) in SECTIONS.items():
        if not isinstance(document.setdefault(section, kind()), kind):
            raise CheckpointError(f"the rules {name}: {section} is {words}, found {document[section]!r}")
    rules = [_made(f"the rules {name}: rule {n}", make, entry) for n, entry in enumerate(document["rules"], start=1)]
    signs = [_made(f"the rules {name}: signs", pattern, sign) for sign in document["signs"]]
    if not document["rules"]:
        raise CheckpointError(f"the rules {name} are none: write each under [[rules]]")
    return RuleSet(name, tuple(rules), document["about"], tuple(signs))


def _made(where: str, function: Callable[[object], T], value: object) -> T:
    try:
        return function(value)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from error
