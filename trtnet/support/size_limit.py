"""The sizes that a network is for, where its model compared a named one with a number while it was being defined."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SizeLimit:
    """The largest size of a name. reason: who asked, with the line."""

    most: int
    reason: str


class SizeLimits(dict[str, SizeLimit]):
    """The limit of each named size that has one."""

    def lower(self, name: str, limit: SizeLimit) -> bool:
        """Takes a limit, unless there is a lower one. Returns whether it was taken."""
        if name in self and self[name].most <= limit.most:
            return False
        self[name] = limit
        return True

    def problem(self, name: str, size: int) -> str | None:
        """Why a size is too large; None if it is not."""
        limit = self.get(name)
        if limit is None or size <= limit.most:
            return None
        return f"{name} is {size}, and the network is for at most {limit.most}: {limit.reason}"
