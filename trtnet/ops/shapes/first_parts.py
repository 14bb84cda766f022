"""The first element of an axis beside all of them: ``x - x[:, :1]``.

TensorRT-RTX 1.6.1 on an H200 reads such a slice as the whole tensor where it computes both in the kernel of a reduction
of another axis, in engines of fixed shapes: ``(x - x[:, :1]).mean(3)`` is 0. Slices that begin behind the first element
are right.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.indexing.gather import take
from trtnet.ops.shapes.moves import Move, Part
from trtnet.support import backend


def gathered(x: Tensor, other: Tensor) -> Tensor:
    """`x` by IGatherLayer, if it is the first element of an axis of a tensor, which `other` has in whole; else `x`."""
    if backend.name() != "tensorrt_rtx" or x.ndim != other.ndim or not is_static((*x.shape, *other.shape)):
        return x
    part = _cut(x)
    if part is None or len(part.cuts) != 1:
        return x
    ((along, cut),) = part.cuts.items()
    whole = part.source.shape
    if (cut.start, cut.size) != (0, 1) or whole != other.shape or x.shape != (*whole[:along], 1, *whole[along + 1 :]):
        return x
    return take(part.source, constant(x.network, np.array([0], np.int32)), along)


def _cut(x: Tensor) -> Part | None:
    """The slice that `x` is, perhaps in other shapes, as ``x[:, 0].unsqueeze(1)`` is one of ``x[:, :1]``."""
    move = x.network.moves.get(x.trt)
    while isinstance(move, Move) and move.is_reshape:
        move = x.network.moves.get(move.source.trt)
    return move if isinstance(move, Part) else None
