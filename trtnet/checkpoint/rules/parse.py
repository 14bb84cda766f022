"""What a rule of a file may do: a verb, and the options that it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trtnet.checkpoint.rules.folds import Add, FoldBatchNorm, FoldSpectralNorm, FoldWeightNorm
from trtnet.checkpoint.rules.keys import Drop, Fill, Prefix, Tie, Unwrap
from trtnet.checkpoint.rules.layouts import Permute, Reshape, Rotary, Slice, Transpose
from trtnet.checkpoint.rules.pattern import Pattern, pattern, template
from trtnet.checkpoint.rules.renames import Merge, Rename, Split
from trtnet.checkpoint.rules.rule import Rule
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted


def make(entry: object) -> Rule:
    """The rule of one table of a file. Raises CheckpointError that says what is wrong with it."""
    if not isinstance(entry, Mapping):
        raise CheckpointError(f"a rule is a table, found {entry!r}")
    verbs = [verb for verb in VERBS if verb in entry]
    if len(verbs) != 1:
        raise CheckpointError(f"a rule has one of {', '.join(VERBS)}; found {', '.join(map(str, entry)) or 'nothing'}")
    maker, options = VERBS[verbs[0]]
    _check_options(entry, verbs[0], (verbs[0], *options))
    try:
        return replace(maker(entry), optional=_flag(entry, "optional"))
    except KeyError as error:
        raise CheckpointError(f"{verbs[0]} needs {error.args[0]}") from error


def _check_options(entry: Mapping[str, Any], verb: str, options: tuple[str, ...]) -> None:
    if unknown := sorted(set(entry) - {*options, "optional"}):
        takes = ", ".join((*options[1:], "optional"))
        raise CheckpointError(f"{verb} takes {takes}; found {', '.join(unknown)}")


def _rename(entry: Mapping[str, Any]) -> Rule:
    source = pattern(entry["rename"])
    return Rename(source, _texts([entry["to"]], source), one_way=_flag(entry, "one_way"))


def _split(entry: Mapping[str, Any]) -> Rule:
    source = pattern(entry["split"])
    into = _texts(entry["into"], source)
    if len(into) < 2:
        raise CheckpointError(f"split into two or more, found {len(into)}")
    sizes = _sizes(entry, len(into))
    return Split(source, into, (), _int(entry, "dim", 0), _flag(entry, "one_way"), sizes)


def _merge(entry: Mapping[str, Any]) -> Rule:
    keys = entry["merge"]
    if not isinstance(keys, list) or len(keys) < 2:
        raise CheckpointError(f"merge is a list of a pattern and the templates of the others, found {keys!r}")
    source = pattern(keys[0])
    to, others = _texts([entry["to"]], source), _texts(keys[1:], source)
    sizes = _sizes(entry, len(keys))
    return Merge(source, to, others, _int(entry, "dim", 0), _flag(entry, "one_way"), sizes)


def _sizes(entry: Mapping[str, Any], count: int) -> tuple[int, ...]:
    sizes = _ints(entry, "sizes") if "sizes" in entry else ()
    if sizes and (len(sizes) != count or min(sizes) < 1):
        raise CheckpointError(f"sizes are {counted(count, 'int')} above 0, found {list(sizes)}")
    return sizes


def _unwrap(entry: Mapping[str, Any]) -> Rule:
    names = entry["unwrap"]
    if names is True:
        return Unwrap()
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise CheckpointError(f"unwrap is true, or a list of the wrappers' names such as '_orig_mod', found {names!r}")
    return Unwrap(tuple(names))


def _permute(entry: Mapping[str, Any]) -> Rule:
    source, dims = pattern(entry["permute"]), _ints(entry, "dims")
    if not dims or sorted(dims) != list(range(len(dims))):
        raise CheckpointError(f"dims are all axes in another order, such as [3, 2, 0, 1], found {list(dims)}")
    return Permute(source, dims)


def _reshape(entry: Mapping[str, Any]) -> Rule:
    back = _ints(entry, "back") if "back" in entry else ()
    return Reshape(pattern(entry["reshape"]), _ints(entry, "shape"), back)


def _fill(entry: Mapping[str, Any]) -> Rule:
    source, shape, value = pattern(entry["fill_by"]), entry["shape"], _number(entry, "value", 0.0)
    if not isinstance(shape, list) or not all(_is_size(size) for size in shape):
        raise CheckpointError(f'a shape is a list of sizes and of "dim0", "dim1", ..., found {shape!r}')
    return Fill(source, template(entry["to"], source.regex.groups), tuple(shape), value)


def _add(entry: Mapping[str, Any]) -> Rule:
    source, value = pattern(entry["add"]), _number(entry, "value", math.nan)
    if not math.isfinite(value):
        raise CheckpointError("add needs value, a finite number that is added to what is there")
    return Add(source, value)


def _fold(entry: Mapping[str, Any]) -> Rule:
    kind = entry["fold"]
    if not isinstance(kind, str) or kind not in FOLDS:
        raise CheckpointError(f"fold is one of {', '.join(FOLDS)}; found {kind!r}")
    maker, options = FOLDS[kind]
    _check_options(entry, f"fold = {kind!r}", ("fold", *options))
    return maker(entry)


def _fold_batch_norm(entry: Mapping[str, Any]) -> Rule:
    source, eps = pattern(entry["conv"]), _number(entry, "eps", 1e-5)
    if not 0 <= eps < math.inf:
        raise CheckpointError(f"eps is a number of 0 or more, found {eps!r}")
    return FoldBatchNorm(source, template(entry["norm"], source.regex.groups), eps, _flag(entry, "transposed"))


def _fold_spectral_norm(entry: Mapping[str, Any]) -> Rule:
    dim = _int(entry, "dim") if "dim" in entry else None
    return FoldSpectralNorm(pattern(entry.get("at", "^")), dim)


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
    values = entry[key]
    if not isinstance(values, list) or not all(isinstance(v, int) and abs(v) < 1 << 31 for v in values):
        raise CheckpointError(f"{key} is a list of ints, found {values!r}")
    return tuple(values)


def _number(entry: Mapping[str, Any], key: str, default: float) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"{key} is a number, found {value!r}")
    try:
        return float(value)
    except OverflowError as error:
        raise CheckpointError(f"{key} is larger than any float64") from error


def _flag(entry: Mapping[str, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise CheckpointError(f"{key} is true or false, found {value!r}")
    return value


FOLDS: dict[str, tuple[Callable[[Mapping[str, Any]], Rule], tuple[str, ...]]] = {
    "batch_norm": (_fold_batch_norm, ("conv", "norm", "eps", "transposed")),
    "weight_norm": (lambda entry: FoldWeightNorm(pattern(entry.get("at", "^"))), ("at",)),
    "spectral_norm": (_fold_spectral_norm, ("at", "dim")),
}
"""What each kind of fold is made by, and the options it takes."""

VERBS: dict[str, tuple[Callable[[Mapping[str, Any]], Rule], tuple[str, ...]]] = {
    "rename": (_rename, ("to", "one_way")),
    "drop": (lambda entry: Drop(pattern(entry["drop"])), ()),
    "add_prefix": (lambda entry: Prefix(_text(entry, "add_prefix"), strip=False), ()),
    "strip_prefix": (lambda entry: Prefix(_text(entry, "strip_prefix"), strip=True), ()),
    "tie": (lambda entry: Tie(_text(entry, "tie"), _text(entry, "to")), ("to",)),
    "unwrap": (_unwrap, ()),
    "split": (_split, ("into", "dim", "sizes", "one_way")),
    "merge": (_merge, ("to", "dim", "sizes", "one_way")),
    "transpose": (lambda entry: Transpose(pattern(entry["transpose"])), ()),
    "permute": (_permute, ("dims",)),
    "reshape": (_reshape, ("shape", "back")),
    "slice": (lambda entry: Slice(pattern(entry["slice"]), _int(entry, "start")), ("start",)),
    "fill_by": (_fill, ("to", "shape", "value")),
    "add": (_add, ("value",)),
    "rotary": (lambda entry: Rotary(pattern(entry["rotary"]), _int(entry, "head_dim")), ("head_dim",)),
    "fold": (_fold, tuple(dict.fromkeys(option for _, options in FOLDS.values() for option in options))),
}
"""What a rule may do -> what makes the rule, and the options it takes beside ``optional``."""
