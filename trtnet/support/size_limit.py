"""The sizes that a network is for, as its model asked of them, or its operations, while it was being defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LARGEST_SIZE = 2**31 - 1
"""The largest size of an axis that TensorRT takes."""
LOOKED_AT = 1 << 16
"""Of how many sizes of a range, from its smallest, each one is looked at."""


@dataclass(frozen=True)
class SizeLimit:
    """The largest size of a name. reason: who asked, with the line."""

    most: int
    reason: str


@dataclass(frozen=True)
class SizeRule:
    """What sizes have to be. names: of the sizes. holds: whether it is so, of arrays of them. reason: with the line."""

    names: tuple[str, ...]
    holds: Callable[[Mapping[str, Array]], Array]
    reason: str

    def refused(self, ranges: Mapping[str, tuple[int, int, int]]) -> str | None:
        """The sizes within (min, opt, max) that do not hold; None if there are none, or if a name is not there.

        Of one name all of them, of several those that are all the smallest, the best or the largest.
        """
        if not set(self.names) <= set(ranges):
            return None
        tried = {
            name: np.unique(ranges[name]) if len(self.names) == 1 else np.array(ranges[name]) for name in self.names
        }
        if len(self.names) == 1:
            low, _, high = ranges[self.names[0]]
            tried[self.names[0]] = np.union1d(np.arange(low, min(high, low + LOOKED_AT) + 1), tried[self.names[0]])
        wrong = ~np.asarray(self.holds({name: sizes.astype(np.int64) for name, sizes in tried.items()}))
        if not wrong.any():
            return None
        return " and ".join(f"{name} is {_listed(np.unique(tried[name][wrong]))}" for name in self.names)


class SizeLimits(dict[str, SizeLimit]):
    """The limit of each named size that has one, and rules of other kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.rules: dict[str, SizeRule] = {}

    def __bool__(self) -> bool:
        return len(self) > 0 or len(self.rules) > 0

    def lower(self, name: str, limit: SizeLimit) -> bool:
        """Takes a limit, unless there is a lower one. Returns whether it was taken."""
        if name in self and self[name].most <= limit.most:
            return False
        self[name] = limit
        return True

    def rule(self, rule: SizeRule) -> bool:
        """Takes a rule. Returns whether it is new."""
        return self.rules.setdefault(rule.reason, rule) is rule

    def problem(self, sizes: Mapping[str, int | tuple[int, int, int]]) -> str | None:
        """Why named sizes, or their ranges (min, opt, max), are none that the network is for; None if they are."""
        ranges = {name: (size, size, size) if isinstance(size, int) else size for name, size in sizes.items()}
        for name, (_, _, high) in ranges.items():
            limit = self.get(name)
            if limit is not None and high > limit.most:
                return f"{name} is {high}, and the network is for at most {limit.most}: {limit.reason}"
        for rule in self.rules.values():
            refused = rule.refused(ranges)
            if refused:
                return f"{refused}, and the network is not for that: {rule.reason}"
        return None


def _listed(sizes: Array) -> str:
    shown = [str(size) for size in sizes[:6]]
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown) + (
        ", ..." if len(sizes) > 6 else ""
    )
