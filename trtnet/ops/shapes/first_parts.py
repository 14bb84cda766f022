"""First elements of axes in computations: ``x - 0.3 * x[:, :1]``.

TensorRT-RTX 1.6.1 on an H200 reads such a slice as the whole tensor where it computes both in the kernel of a reduction
of another axis, in engines of fixed shapes: ``(x - x[:, :1]).mean(3)`` is 0. Slices that begin behind the first element
are right, and so are gathers.
"""

from __future__ import annotations

from typing import TypeVar, cast

from trtnet.graph import Tensor
from trtnet.ops.indexing.gather import single
from trtnet.ops.shapes.moves import Move, Part
from trtnet.ops.shapes.shape import reshape
from trtnet.ops.shapes.slicing import cut
from trtnet.support import backend

T = TypeVar("T")
IMAGES = 4
"""Axes of images. Of tensors with more, as queries, keys and values are parts of one, an element that was chosen
without its axis is not met by the whole again."""


def gathered(x: T) -> T:
    """`x` by IGatherLayer, if it is the first element of an axis of a tensor, perhaps in another shape; else `x`."""
    if not isinstance(x, Tensor) or backend.name() != "tensorrt_rtx":
        return x
    part = _cut(x)
    if part is None or part.source.ndim < 2 or x.trt in x.network.known:
        return x
    whole = part.source.shape
    firsts = [a for a, each in part.cuts.items() if (each.start, each.size) == (0, 1) and whole[a] != 1]
    if not firsts or x.ndim < part.source.ndim > IMAGES:
        return x
    y = cut(part.source, {axis: each for axis, each in part.cuts.items() if axis not in firsts})
    for axis in firsts:
        y = single(y, 0, axis)
    return cast(T, reshape(y, x.shape))


def _cut(x: Tensor) -> Part | None:
    """The slice that `x` is, perhaps in other shapes, as ``x[:, 0].unsqueeze(1)`` is one of ``x[:, :1]``."""
    move = x.network.moves.get(x.trt)
    while isinstance(move, Move) and move.is_reshape:
        move = x.network.moves.get(move.source.trt)
    return move if isinstance(move, Part) else None
