"""A family's rules, read from a file, applied to a checkpoint, and turned around."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtnet.checkpoint.base import Checkpoint
from trtnet.checkpoint.reading import Source, open_checkpoint
from trtnet.checkpoint.rules.folds import FOLDS, Fold, FoldBatchNorm
from trtnet.checkpoint.rules.kinds import (
    Drop,
    Fill,
    Merge,
    Prefix,
    Rename,
    Reshape,
    Rotary,
    Rule,
    Slice,
    Split,
    Tie,
    Transpose,
)
from trtnet.checkpoint.rules.lazy import Converted, tensors_of
from trtnet.checkpoint.rules.pattern import Pattern, pattern, template
from trtnet.errors import CheckpointError

LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class RuleSet:
    """Rules in order. about: a line on what they are for. signs: patterns, each of some key of such a checkpoint."""

    name: str
    rules: tuple[Rule, ...]
    about: str = ""
    signs: tuple[Pattern, ...] = ()

    def apply(self, source: Source) -> Checkpoint:
        """The checkpoint as the rules show it: keys and shapes at once, data when a tensor is asked for.

        Raises CheckpointError, naming the rule set, where a rule does not fit.
        """
        checkpoint = open_checkpoint(source)
        tensors = tensors_of(checkpoint)
        for number, rule in enumerate(self.rules, start=1):
            try:
                tensors = rule.apply(tensors)
            except CheckpointError as error:
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
                raise CheckpointError(f"{self.name} does not go back: rule {number} ({kind}) loses something")
            back.append(inverse)
        return RuleSet(f"{self.name} backwards", tuple(back), self.about)

    def fits(self, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint has all signs of this family."""
        return bool(self.signs) and all(any(sign.regex.search(key) for key in checkpoint) for sign in self.signs)


def read(path: str | os.PathLike[str]) -> RuleSet:
    """Reads a rule file (TOML). Raises CheckpointError if it cannot be read or is not one."""
    try:
        if Path(path).stat().st_size > LARGEST_FILE:
            raise CheckpointError(f"{path} is no rule file: it has more than {LARGEST_FILE:,} bytes")
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"cannot read the rules {path}: {error}") from error
    return parse(text, Path(path).stem)


def parse(text: str, name: str) -> RuleSet:
    """Reads the text of a rule file. Raises CheckpointError that names the rule and what is wrong with it."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise CheckpointError(f"the rules {name} are not TOML: {error}") from error
    unknown = sorted(set(document) - {"about", "signs", "rules"})
    rules, signs = document.get("rules", []), document.get("signs", [])
    if unknown or not isinstance(rules, list) or not isinstance(signs, list):
        raise CheckpointError(
            f"the rules {name}: a rule file has about, signs and [[rules]], found {', '.join(unknown)}"
        )
    made = []
    for number, entry in enumerate(rules, start=1):
        try:
            made.append(_rule(entry))
        except CheckpointError as error:
            raise CheckpointError(f"the rules {name}: rule {number}: {error}") from error
    return RuleSet(name, tuple(made), str(document.get("about", "")), tuple(pattern(sign) for sign in signs))


def _rule(entry: object) -> Rule:
    if not isinstance(entry, Mapping):
        raise CheckpointError(f"a rule is a table, found {entry!r}")
    verbs = [verb for verb in VERBS if verb in entry]
    if len(verbs) != 1:
        raise CheckpointError(f"a rule has one of {', '.join(VERBS)}; found {', '.join(map(str, entry)) or 'nothing'}")
    maker, options = VERBS[verbs[0]]
    unknown = sorted(set(entry) - {verbs[0]} - set(options))
    if unknown:
        takes = ", ".join(options) or "nothing more"
        raise CheckpointError(f"{verbs[0]} takes {takes}; found {', '.join(unknown)}")
    try:
        return maker(entry)
    except KeyError as error:
        raise CheckpointError(f"{verbs[0]} needs {error.args[0]}") from error


def _rename(entry: Mapping[str, Any]) -> Rule:
    source = pattern(entry["rename"])
    return Rename(source, template(entry["to"], source.regex.groups), bool(entry.get("one_way", False)))


def _split(entry: Mapping[str, Any]) -> Rule:
    source = pattern(entry["split"])
    into = _texts(entry["into"], source)
    if len(into) < 2:
        raise CheckpointError(f"split into two or more, found {len(into)}")
    return Split(source, into, _int(entry, "dim", 0))


def _merge(entry: Mapping[str, Any]) -> Rule:
    keys = entry["merge"]
    if not isinstance(keys, list) or len(keys) < 2:
        raise CheckpointError(f"merge is a list of a pattern and the templates of the others, found {keys!r}")
    source = pattern(keys[0])
    return Merge(source, _texts(keys[1:], source), template(entry["to"], source.regex.groups), _int(entry, "dim", 0))


def _fill(entry: Mapping[str, Any]) -> Rule:
    source, shape, value = pattern(entry["fill_by"]), entry["shape"], entry.get("value", 0.0)
    if not isinstance(shape, list) or not all(_is_size(size) for size in shape):
        raise CheckpointError(f'a shape is a list of sizes and of "dim0", "dim1", ..., found {shape!r}')
    if not isinstance(value, int | float):
        raise CheckpointError(f"a value is a number, found {value!r}")
    return Fill(source, template(entry["to"], source.regex.groups), tuple(shape), float(value))


def _fold(entry: Mapping[str, Any]) -> Rule:
    kind = entry["fold"]
    if kind == "batch_norm":
        source = pattern(entry["conv"])
        eps = entry.get("eps", 1e-5)
        if not isinstance(eps, float) or eps < 0:
            raise CheckpointError(f"eps is a number of 0 or more, found {eps!r}")
        return FoldBatchNorm(source, template(entry["norm"], source.regex.groups), eps)
    if not isinstance(kind, str) or kind not in FOLDS:
        raise CheckpointError(f"fold is one of batch_norm, {', '.join(FOLDS)}; found {kind!r}")
    return Fold(pattern(entry.get("at", ".")), kind)


def _is_size(size: object) -> bool:
    if isinstance(size, str):
        return size in ("dim0", "dim1", "dim2", "dim3")
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 31


def _texts(values: object, source: Pattern) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise CheckpointError(f"expected a list of templates, found {values!r}")
    return tuple(template(value, source.regex.groups) for value in values)


def _text(entry: Mapping[str, Any], key: str) -> str:
    if not isinstance(entry[key], str) or not entry[key]:
        raise CheckpointError(f"{key} is text, found {entry[key]!r}")
    return str(entry[key])


def _int(entry: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = entry[key] if default is None else entry.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 31:
        raise CheckpointError(f"{key} is an int, found {value!r}")
    return value


def _ints(entry: Mapping[str, Any], key: str) -> tuple[int, ...]:
    values = entry.get(key, [])
    if not isinstance(values, list) or not all(isinstance(v, int) and abs(v) < 1 << 31 for v in values):
        raise CheckpointError(f"{key} is a list of ints, found {values!r}")
    return tuple(values)


VERBS: dict[str, tuple[Callable[[Mapping[str, Any]], Rule], tuple[str, ...]]] = {
    "rename": (_rename, ("to", "one_way")),
    "drop": (lambda entry: Drop(pattern(entry["drop"])), ()),
    "add_prefix": (lambda entry: Prefix(_text(entry, "add_prefix"), strip=False), ()),
    "strip_prefix": (
        lambda entry: Prefix(_text(entry, "strip_prefix"), True, bool(entry.get("optional", False))),
        ("optional",),
    ),
    "tie": (lambda entry: Tie(_text(entry, "tie"), _text(entry, "to")), ("to",)),
    "split": (_split, ("into", "dim")),
    "merge": (_merge, ("to", "dim")),
    "transpose": (lambda entry: Transpose(pattern(entry["transpose"])), ()),
    "reshape": (
        lambda entry: Reshape(pattern(entry["reshape"]), _ints(entry, "shape"), _ints(entry, "back")),
        ("shape", "back"),
    ),
    "slice": (lambda entry: Slice(pattern(entry["slice"]), _int(entry, "start")), ("start",)),
    "fill_by": (_fill, ("to", "shape", "value")),
    "rotary": (lambda entry: Rotary(pattern(entry["rotary"]), _int(entry, "head_dim")), ("head_dim",)),
    "fold": (_fold, ("at", "conv", "norm", "eps")),
}
"""What a rule may do -> what makes the rule, and the options it takes."""
