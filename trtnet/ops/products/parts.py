"""What a view shows of the tensor that it is a part of, with numpy's views of an array in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Shape, Tensor
from trtnet.graph.sizes.dim import is_static

SOME = 2
"""A size that stands for those that are known only when the engine runs."""


def whole(x: Tensor) -> tuple[Tensor, list[Any]]:
    """What `x` is a part of in memory, and the views that make it of that, in order."""
    views = []
    while x.view_of is not None:
        views.append(x.view_of.key)
        x = x.view_of.base
    return x, views[::-1]


def origins(x: Tensor) -> Iterator[tuple[Tensor, list[Any]]]:
    """`x`, then each tensor that it has elements of, the nearest first, and what makes it of that.

    Beside views that is what other shapes and orders of axes are, whose memory is not known to be the same.
    """
    steps: list[Any] = []
    while not x.storage.version:
        yield x, steps[::-1]
        if x.view_of is not None:
            steps.append(x.view_of.key)
            x = x.view_of.base
        elif (move := x.network.moves.get(x.trt)) is not None:
            steps.extend(reversed(move.steps))
            x = move.source
        else:
            return


def sequence_of(x: Tensor) -> tuple[Tensor, list[Any]] | None:
    """The first tensor [batch, length, width] that `x` has elements of, and what makes it of that; None if none is."""
    found = [each for each in origins(x) if each[0].ndim == 3]
    return found[-1] if found else None


def unknown(shape: Shape) -> list[Dim]:
    """The sizes of a shape that are known only when the engine runs."""
    return [size for size in shape if isinstance(size, Dim)]


def sizes(base: Tensor, shape: Shape) -> list[int] | None:
    """A shape whose unknown sizes are those of `base`, with numbers for them; None for others."""
    names = {size.name for size in unknown(base.shape)}
    known = [size if isinstance(size, int) else SOME for size in shape if isinstance(size, int) or size.name in names]
    return known if len(known) == len(shape) else None


def viewed(array: np.ndarray, base: Tensor, views: Sequence[Any]) -> np.ndarray | None:
    """Views of an array in the place of `base`, of its `sizes`; None for a view of another kind."""
    for kind, *about in views:
        if kind == "shape" and (shape := sizes(base, about[0])) is not None and np.prod(shape) == array.size:
            array = array.reshape(shape)
        elif kind == "permute":
            array = array.transpose(about[0])
        elif kind == "part" and all(is_static((cut.start, cut.size, cut.step)) for _, cut in about):
            for axis, cut in about:
                array = _cut(array, axis, cut.start, cut.size, cut.step)
        else:
            return None
    return array


def shown(base: Tensor, views: Sequence[Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """(an array in the place of `base`, what views make of it); None for a view of another kind. Nothing is written."""
    shape = sizes(base, base.shape)
    memory = None if shape is None else np.empty(shape, np.int8)
    view = None if memory is None else viewed(memory, base, views)
    return None if memory is None or view is None else (memory, view)


def has_its_rows(view: np.ndarray, memory: np.ndarray) -> bool:
    """Whether a view has all rows of the last axis of an array, in their order."""
    is_whole = view.size == memory.size and view.shape[-1] == memory.shape[-1]
    return is_whole and is_same(view, memory.reshape(view.shape))


def is_same(view: np.ndarray, other: np.ndarray) -> bool:
    """Whether both are the same elements; how far apart those of an axis of one element are, numpy may say anything."""
    steps = [[n for n, size in zip(x.strides, x.shape, strict=True) if size > 1] for x in (view, other)]
    return view.shape == other.shape and steps[0] == steps[1] and view.ctypes.data == other.ctypes.data


def _cut(array: np.ndarray, axis: int, start: int, size: int, step: int) -> np.ndarray:
    """A view, but of elements that are repeated."""
    if step == 0:
        return array.take([start] * size, axis)
    end = start + size * step
    return array[(slice(None),) * axis + (slice(start, end if end >= 0 else None, step),)]
