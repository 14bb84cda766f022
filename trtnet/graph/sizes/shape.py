"""A shape with torch.Size's methods."""

from __future__ import annotations

from typing import Any

from trtnet.graph.sizes.dim import Size, numel


class SymbolicSize(tuple[Any, ...]):
    """A shape with sizes that may be known only at run time: what torch.Size is for ints."""

    __slots__ = ()

    def numel(self) -> Size:
        """The number of elements."""
        return numel(tuple(self))

    def __getitem__(self, place: Any) -> Any:
        found = tuple.__getitem__(self, place)
        return SymbolicSize(found) if isinstance(place, slice) else found

    def __add__(self, other: Any) -> Any:
        return SymbolicSize((*self, *other))

    def __radd__(self, other: Any) -> Any:
        return SymbolicSize((*other, *self))
