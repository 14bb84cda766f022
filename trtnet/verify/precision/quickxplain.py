"""The smallest part of a set that is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def smallest_set(items: Sequence[T], enough: Callable[[Sequence[T]], bool]) -> list[T]:
    """Items that are enough together, none of which can be left out; all of them are known to be enough.

    enough: must hold for more items where it holds for fewer. QuickXplain (Junker, "Preferred explanations and
    relaxations for over-constrained problems", 2004): about 2 k log2(n / k) questions for k of n items, fewer where the
    k stand together.
    """
    return _needed([], False, list(items), enough)


def _needed(given: list[T], is_new: bool, items: list[T], enough: Callable[[Sequence[T]], bool]) -> list[T]:
    """What of `items` is needed beside those given. is_new: whether these are more than at the last question."""
    if is_new and enough(given):
        return []
    if len(items) == 1:
        return items
    first, second = items[: len(items) // 2], items[len(items) // 2 :]
    of_second = _needed(given + first, True, second, enough)
    of_first = _needed(given + of_second, bool(of_second), first, enough)
    return of_first + of_second
