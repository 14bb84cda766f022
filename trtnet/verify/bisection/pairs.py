"""Which of a module's values is which of its original's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trtnet.support import dtypes
from trtnet.verify.metrics.array_metrics import Array
from trtnet.verify.metrics.layouts import align, distance, is_additive


@dataclass(frozen=True, eq=False)
class Value:
    """An argument or result: its name in ``forward``, and the array."""

    name: str
    array: Array


@dataclass(frozen=True, eq=False)
class Pair:
    """A value and what the original has in its place, in the shape of ours. rule: how it came into that shape."""

    name: str
    index: int
    found: Array
    expected: Array
    rule: str

    @property
    def error(self) -> float:
        """Relative L2; of integers, the root of the share that is not equal: how far off one is says nothing."""
        if not dtypes.get(self.found.dtype).is_floating and self.found.dtype != np.bool_ and self.found.size:
            return math.sqrt(np.count_nonzero(self.found != self.expected) / self.found.size)
        return distance(self.found, self.expected)


@dataclass(frozen=True)
class Pairs:
    """pairs: the values that can be compared. alone: names of ours that nothing of the original's stands for. unlike:
    those that something stands for, of another shape or kind, which no layout explains; with both."""

    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]
    unlike: tuple[str, ...] = ()

    @property
    def error(self) -> float | None:
        """The largest error, None if nothing can be compared; infinite for what is unlike."""
        return math.inf if self.unlike else max((pair.error for pair in self.pairs), default=None)

    @property
    def rules(self) -> str:
        """What was done to compare them."""
        return "; ".join(f"{pair.name}: {pair.rule}" for pair in self.pairs if pair.rule)


def numbered(values: Sequence[Value]) -> list[Value]:
    """Results with ``output0``, ``output1``, ... for those of several that have no name of their own."""
    return [
        Value(f"output{i}", value.array) if value.name == "output" and len(values) > 1 else value
        for i, value in enumerate(values)
    ]


def arguments(ours: Sequence[Value | None], theirs: Sequence[Value]) -> Pairs:
    """Pairs by equal names first, then in order, each with the first that can be laid out as it is.

    ours: None for a value that is not known. Order decides, not likeness: arguments that were swapped stay swapped.
    What is left of as many on both sides is unlike, masks aside, which have many forms.
    """
    chosen, left = _matched(ours, theirs)
    rest = [(index, value) for index, value in _known(ours) if index not in chosen]
    unlike = {}
    if len(ours) == len(theirs):
        both = [(index, value, other) for (index, value), other in zip(rest, left, strict=False)]
        unlike = {i: _unlike(a, b) for i, a, b in both if _are_floats(a, b) and not (_is_mask(a) or _is_mask(b))}
    return _pairs(ours, chosen, unlike)


def results(ours: Sequence[Value | None], theirs: Sequence[Value]) -> Pairs:
    """Pairs of what a module gives: of as many results by position, or by name where both have the same ones.

    Of another number of results in order, each with the first that can be laid out as it is; if none can, the first two
    are unlike.
    """
    if len(ours) != len(theirs):
        chosen, left = _matched(ours, theirs)
        first = [(index, value, left[0]) for index, value in _known(ours)[:1] if left and not chosen]
        return _pairs(ours, chosen, {index: _unlike(value, other) for index, value, other in first})
    by_name = {other.name: other for other in theirs}
    named = all(value is not None and value.name in by_name for value in ours)
    partners = [
        by_name[value.name] if named and value is not None else o for value, o in zip(ours, theirs, strict=True)
    ]
    chosen, unlike = {}, {}
    for index, value in _known(ours):
        aligned = align(value.array, partners[index].array)
        if aligned is None:
            unlike[index] = _unlike(value, partners[index])
        else:
            chosen[index] = Pair(value.name, index, value.array, aligned.values, aligned.rule)
    return _pairs(ours, chosen, unlike)


def _matched(ours: Sequence[Value | None], theirs: Sequence[Value]) -> tuple[dict[int, Pair], list[Value]]:
    left = list(theirs)
    chosen: dict[int, Pair] = {}
    for by_name in (True, False):
        for index, value in _known(ours):
            if index in chosen:
                continue
            for candidate in [one for one in left if not by_name or one.name == value.name]:
                aligned = align(value.array, candidate.array)
                if aligned is not None:
                    chosen[index] = Pair(value.name, index, value.array, aligned.values, aligned.rule)
                    left.remove(candidate)
                    break
    return chosen, left


def _known(values: Sequence[Value | None]) -> list[tuple[int, Value]]:
    return [(index, value) for index, value in enumerate(values) if value is not None]


def _pairs(ours: Sequence[Value | None], chosen: dict[int, Pair], unlike: dict[int, str]) -> Pairs:
    alone = (value.name for index, value in _known(ours) if index not in chosen and index not in unlike)
    return Pairs(tuple(chosen[index] for index in sorted(chosen)), tuple(alone), tuple(unlike.values()))


def _unlike(ours: Value, theirs: Value) -> str:
    """``output: [2, 10, 29, 23] here, [2, 10, 30, 23] in torch``, with the dtypes if their kinds differ."""
    shapes = [str(list(value.array.shape)) for value in (ours, theirs)]
    if shapes[0] == shapes[1]:
        shapes = [f"{shape} {value.array.dtype.name}" for shape, value in zip(shapes, (ours, theirs), strict=True)]
    name = "" if ours.name == "output" else f"{ours.name} "
    return f"{name}{shapes[0]} here, {shapes[1]} in torch"


def _are_floats(*values: Value) -> bool:
    return all(dtypes.get(value.array.dtype).is_floating for value in values)


def _is_mask(value: Value) -> bool:
    return is_additive(value.array) and bool(value.array.size) and bool(value.array.any())
