"""How tensors were made of others by layers that move elements: ``network.moves`` has it by their result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtnet.graph import Size, Tensor

Steps = tuple[tuple[Any, ...], ...]
"""What a move is, as the keys of views."""


@dataclass(frozen=True)
class Move:
    """How a tensor was made of another one: its axes in an order, as a shape, whose axes are then in another order.

    shape: None if it has none of its own.
    """

    source: Tensor
    before: tuple[int, ...]
    shape: tuple[Size, ...] | None
    after: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...] | None:
        """Of its axes, if they are all that changes."""
        return tuple(self.before[axis] for axis in self.after) if self.shape is None else None

    @property
    def is_reshape(self) -> bool:
        """Whether it is nothing else."""
        return self.shape is not None and not (_is_moved(self.before) or _is_moved(self.after))

    @property
    def steps(self) -> Steps:
        """The same as the views that it may be."""
        middle = () if self.shape is None else (("shape", self.shape),)
        return (("permute", self.before), *middle, ("permute", self.after))


@dataclass(frozen=True)
class Part:
    """How a tensor was cut out of another one. cuts: by axis."""

    source: Tensor
    cuts: Mapping[int, Any]
    order = None
    is_reshape = False

    @property
    def steps(self) -> Steps:
        """The same as the view that it may be."""
        return (("part", *self.cuts.items()),)


def _is_moved(order: tuple[int, ...]) -> bool:
    return order != tuple(range(len(order)))
