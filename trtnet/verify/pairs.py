"""Which of a module's values is which of its original's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtnet.verify.layouts import align, distance
from trtnet.verify.metrics import Array


@dataclass(frozen=True)
class Value:
    """An argument or result: its name in ``forward``, and the array."""

    name: str
    array: Array


@dataclass(frozen=True)
class Pair:
    """A value and what the original has in its place, in the shape of ours. rule: how it came into that shape."""

    name: str
    index: int
    found: Array
    expected: Array
    rule: str

    @property
    def error(self) -> float:
        """Relative L2."""
        return distance(self.found, self.expected)


@dataclass(frozen=True)
class Pairs:
    """pairs: the values that can be compared. alone: names of ours that nothing of the original's stands for."""

    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]

    @property
    def error(self) -> float | None:
        """The largest error, None if nothing can be compared."""
        return max((pair.error for pair in self.pairs), default=None)

    @property
    def rules(self) -> str:
        """What was done to compare them."""
        return "; ".join(f"{pair.name}: {pair.rule}" for pair in self.pairs if pair.rule)


def pair(ours: Sequence[Value | None], theirs: Sequence[Value]) -> Pairs:
    """Pairs by equal names first, then in order, each with the first that can be laid out as it is.

    ours: None for a value that is not known. Order decides, not likeness: arguments that were swapped stay swapped.
    """
    left = list(theirs)
    chosen: dict[int, Pair] = {}
    for by_name in (True, False):
        for index, value in enumerate(ours):
            if value is None or index in chosen:
                continue
            for candidate in [one for one in left if not by_name or one.name == value.name]:
                aligned = align(value.array, candidate.array)
                if aligned is not None:
                    chosen[index] = Pair(value.name, index, value.array, aligned.values, aligned.rule)
                    left.remove(candidate)
                    break
    alone = tuple(value.name for index, value in enumerate(ours) if value is not None and index not in chosen)
    return Pairs(tuple(chosen[index] for index in sorted(chosen)), alone)
