"""First elements of axes in computations: ``x - 0.3 * x[:, :1]``.

TensorRT-RTX 1.6.1 on an H200 reads such a slice as the whole tensor where it computes both in the kernel of a reduction
of another axis, in engines of fixed shapes: ``(x - x[:, :1]).mean(3)`` is 0. Slices that begin behind the first element
are right, and so are gathers: tests/gpu/test_gpu_small_axes.py.
"""

from __future__ import annotations

import functools
from typing import TypeVar, cast

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.dim import is_static, numel
from trtnet.ops.indexing.gather import single
from trtnet.ops.positions.moved import Sliced
from trtnet.ops.shapes.moves import Part
from trtnet.ops.shapes.shape import reshape, shuffle
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support import backend

T = TypeVar("T")
IMAGES = 4
"""Axes of images. Of tensors with more, as queries, keys and values are parts of one, an element that was chosen
without its axis is not met by the whole again."""


def gathered(x: T) -> T:
    """`x` by IGatherLayer where it has the first element of an axis of a tensor, perhaps moved since; else `x`."""
    if not isinstance(x, Tensor) or backend.name() != "tensorrt_rtx" or x.trt in x.network.known:
        return x
    return cast(T, _gathered(x, x.ndim))


def _gathered(x: Tensor, ndim: int) -> Tensor:
    """`x` as it was made of its sources, with gathers of first elements, or `x` itself if there are none.

    ndim: of what is computed with.
    """
    move = x.network.moves.get(x.trt)
    if move is None:
        return x
    source = _gathered(move.source, ndim)
    if isinstance(move, Part):
        firsts = _firsts(move, ndim)
        if firsts or source is not move.source:
            source = cut(source, {axis: each for axis, each in move.cuts.items() if axis not in firsts})
            return functools.reduce(_first, firsts, source)
    elif source is not move.source:
        return shuffle(source, move.before, move.shape, move.after)
    return x


def _first(x: Tensor, axis: int) -> Tensor:
    """The first element of an axis, gathered."""
    y = single(x, 0, axis)
    y.network.steps[y.trt] = Sliced(Part(x.fresh(), {axis: Cut(0, 1)}))
    return y


def sliced(x: Tensor, axis: int, start: Size, size: int) -> Tensor:
    """Positions of an axis that are not computed with beside the whole, cut from one axis of all numbers behind it.

    A single first one would be gathered otherwise, of which a thread of TensorRT-RTX reads one number at a time, and
    eight of a slice. Where sizes are not known, it is a slice of the axis.
    """
    inner = numel(x.shape[axis + 1 :])
    if not is_static((*x.shape[axis:], start)) or inner == 1:
        return cut(x, {axis: Cut(start, size)})
    flat = reshape(x, (*x.shape[:axis], x.shape[axis] * inner))
    return reshape(cut(flat, {axis: Cut(start * inner, size * inner)}), (*x.shape[:axis], size, *x.shape[axis + 1 :]))


def _firsts(part: Part, ndim: int) -> list[int]:
    """The axes of which a slice has the first element."""
    shape = part.source.shape
    if len(shape) < 2 or ndim < len(shape) > IMAGES:
        return []
    return [axis for axis, each in part.cuts.items() if (each.start, each.size) == (0, 1) and shape[axis] != 1]
