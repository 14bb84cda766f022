"""Windows that slide along an axis, such as the frames of a signal."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import Dim, is_static
from trtnet.graph.sizes.requirements import require
from trtnet.ops.arguments.operands import axis
from trtnet.ops.arguments.sizes import sizes_of
from trtnet.ops.create import arange
from trtnet.ops.indexing.gather import take
from trtnet.ops.shapes.shape import reshape
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.ops.shapes.views import movedim
from trtnet.ops.writes.part import elements
from trtnet.support.text.counted import counted


def unfold_dim(x: Tensor, dimension: int, size: Size, step: Size) -> Tensor:
    """All windows along one axis, torch's ``x.unfold(dimension, size, step)``; a view of `x`.

    x: [..., n, ...], of any dtype. size, step: ints or Dims. Returns [..., windows, ..., size], in the dtype of `x`.
    Layer: IGatherLayer, or IShuffleLayer where the windows do not overlap.
    Raises LayerError for a window longer than the axis, and for a size or step below 1. Of an axis whose size is known
    only when the engine runs, `build` and `reference` refuse those that are shorter than a window.
    """
    if x.ndim == 0:
        return reshape(unfold_dim(reshape(x, (1,)), 0, size, step), (-1,))
    along = axis(x, dimension, "unfold")
    windows = movedim(sliding_windows(x, along, size, step), along + 1, -1)
    apart = isinstance(size, int) and isinstance(step, int) and size <= step
    refused = "" if apart else "windows that overlap"
    return elements(x, windows, lambda base: unfold_dim(base, along, size, step), refused)


def sliding_windows(x: Tensor, dim: int, size: Size, step: Size = 1, dilation: Size = 1) -> Tensor:
    """[..., n, ...] -> [..., windows, size, ...]: all windows of `size` elements along `dim` that fit, by a step.

    dilation: how far the elements of a window are apart.
    Layer: IGatherLayer, or IShuffleLayer where the windows do not overlap.
    Raises LayerError for a window that is longer than the axis, or a step below 1.
    """
    along = axis(x, dim, "unfold")
    length = x.shape[along]
    size, step, dilation = sizes_of(x, (size, step, dilation), "unfold")
    if any(isinstance(value, int) and value < 1 for value in (size, step, dilation)):
        x.network.fail(
            f"unfold takes a size, a step and a dilation above 0, found {size}, {step}, {dilation}", {"x": x}
        )
    extent = dilation * (size - 1) + 1
    if is_static((extent, length)) and int(extent) > int(length):
        x.network.fail(f"unfold: a window of {counted(extent, 'element')} for an axis of size {length}", {"x": x})
    room = length - extent
    if isinstance(room, Dim):
        text = f"less does not hold windows of {counted(extent, 'element')}; they slide along {length}"
        require(x.network, room, lambda rooms: rooms >= 0, text)
    count = room // step + 1
    shape = (*x.shape[:along], count, size, *x.shape[along + 1 :])
    if dilation == 1 and size == step:
        return reshape(cut(x, {} if count * size == length else {along: Cut(0, count * size)}), shape)
    if is_static((count, size, step, dilation)):
        starts = np.arange(int(count), dtype=np.int64)[:, None] * int(step)
        return take(x, constant(x.network, starts + np.arange(int(size), dtype=np.int64) * int(dilation)), along)
    first, inside = (arange(n, network=x.network) for n in (count, size))
    return take(x, (first * step).unsqueeze(1) + (inside * dilation).unsqueeze(0), along)
