"""Groups of elements in another order: what a reshape, a permutation and a reshape are together.

So models shuffle channels, cut images into windows and put them together again, in torch's operations. The first axis
stays, and so do the last ones, which are the elements of a group; the groups move.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import known
from trtnet.ops.shapes.moves import Move, Part

MOST = 1 << 16
"""The most groups, whose order is a constant in some forms."""


@dataclass(frozen=True)
class Regrouping:
    """[lead, *sizes, *rest] with its axes `sizes` in another order. same: whether the result has the source's shape."""

    lead: Size
    sizes: tuple[int, ...]
    order: tuple[int, ...]
    rest: tuple[Size, ...]
    same: bool

    @cached_property
    def places(self) -> np.ndarray[Any, Any]:
        """Where each group was, int32."""
        groups = np.arange(prod(self.sizes), dtype=np.int32).reshape(self.sizes)
        return groups.transpose(self.order).reshape(-1)


def group_facts(source: Tensor, at: Regrouping, *_: object) -> dict[str, int]:
    """The batch, how many groups, and of how many elements."""
    return {"batch": known(at.lead), "groups": prod(at.sizes), "elements": prod(map(known, at.rest))}


@formulated("regrouping", "permute", facts=group_facts)
def _regrouped(source: Tensor, at: Regrouping, y: Tensor) -> Tensor:
    """`y`, which the layers of the model made."""
    return y


def regrouped(x: Tensor, y: Tensor) -> Tensor:
    """`y`, which is `x` in another shape, or the same by other layers if both are a regrouping. x: read before."""
    moves = x.network.moves
    permuted: Move | Part | None = moves.get(x.trt)
    if permuted is None or permuted.order is None:
        return y
    split = permuted.source
    apart: Move | Part | None = moves.get(split.trt)
    if apart is None or not apart.is_reshape:
        return y
    order = permuted.order
    moving = [axis for axis, source in enumerate(order) if axis != source]
    end = max(moving, default=0) + 1
    sizes = tuple(n for n in split.shape[1:end] if isinstance(n, int))
    same = apart.source.shape == y.shape
    if order[0] != 0 or end == len(order) or len(sizes) != end - 1 or not (same or end > 3) or prod(sizes) > MOST:
        return y
    at = Regrouping(split.shape[0], sizes, tuple(axis - 1 for axis in order[1:end]), split.shape[end:], same)
    layers = x.network.trt.num_layers
    made = _regrouped(apart.source, at, y)
    value = made.current
    is_new = made is y or x.network.trt.num_layers > layers  # the second of two that undo each other is the first's
    are_channels = same and len(sizes) == 2 and y.ndim > 2 and y.shape[1] == prod(sizes)
    if is_new and are_channels and not isinstance(value, PendingLayer):
        x.network.shuffled[value] = apart.source, at.places
    return made
