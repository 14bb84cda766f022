"""Windows taken apart: a slice for each of their elements, for pooling that IPoolingLayer does not have."""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.dim import smallest
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, mul
from trtnet.ops.elementwise.comparison import gt, ne as differs, where
from trtnet.ops.elementwise.logic import logical_or
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.text.counted import counted


def check(x: Tensor, kernel_size: Window, padding: Window, rank: int, dilation: Window = 1, spare: int = 0) -> None:
    """Raises LayerError for what torch's pools refuse. spare: what rounding up may add to each axis."""
    if x.ndim != rank + 2:
        x.network.fail(
            f"pooling of {counted(rank, 'axis', 'axes')} takes an input of {counted(rank + 2, 'dimension')},"
            f" found {x.ndim}",
            {"x": x},
        )
    window, pads = spread(kernel_size, rank), spread(padding, rank)
    if len(window) != rank or len(pads) != rank:
        x.network.fail(
            f"pooling of {counted(rank, 'axis', 'axes')} got a window of {window} and padding of {pads}", {"x": x}
        )
    if any(isinstance(size, int) and 2 * side > size for side, size in zip(pads, window, strict=True)):
        x.network.fail(f"pooling: padding {pads} is more than half of the window {window}", {"x": x})
    for size, k, side, d in zip(x.shape[2:], window, pads, spread(dilation, rank), strict=True):
        if isinstance(size, int) and isinstance(k, int) and size + 2 * side + spare < d * (k - 1) + 1:
            x.network.fail(f"pooling: a window of {window} is larger than the input and its padding", {"x": x})


def padded_for(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    dilation: Window,
    ceil_mode: bool,
    rank: int,
    value: float,
) -> tuple[Tensor, list[Size]]:
    """(`x` with all that windows reach, the number of windows of each axis): none starts beyond x and its padding."""
    window, pads, dilations = (spread(v, rank) for v in (kernel_size, padding, dilation))
    strides = window if stride is None else spread(stride, rank)
    counts: list[Size] = []
    for size, k, s, p, d in zip(x.shape[2:], window, strides, pads, dilations, strict=True):
        room = size + (2 * p - d * (k - 1) - 1)
        up = (room + (s - 1)) // s + 1
        counts.append(smallest(up, (size + (p - 1)) // s + 1) if ceil_mode else room // s + 1)
    sides = [
        side
        for p, s in reversed(list(zip(pads, strides, strict=True)))
        for side in (p, p + (s - 1 if ceil_mode else 0))
    ]
    return (pad(x, sides, value=value) if any(sides) else x), counts


def largest_of_taps(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    dilation: Window,
    ceil_mode: bool,
    rank: int,
    with_places: bool,
) -> tuple[Tensor, Tensor | None]:
    """(the largest of each window, int64 its place in a channel's image). The first of equal ones; NaN wins."""
    window, pads, dilations = (spread(v, rank) for v in (kernel_size, padding, dilation))
    strides = window if stride is None else spread(stride, rank)
    lowest = float("-inf") if x.dtype.is_floating else int(np.iinfo(x.dtype.numpy).min)
    padded, counts = padded_for(x, kernel_size, stride, padding, dilation, ceil_mode, rank, lowest)
    best: Tensor | None = None
    place: Tensor | None = None
    for offsets in np.ndindex(*window):
        starts = [int(o) * d for o, d in zip(offsets, dilations, strict=True)]
        cuts = {2 + i: Cut(starts[i], counts[i], strides[i]) for i in range(rank)}
        tap = cut(padded, cuts)
        if with_places:
            here = _places(x, [s - p for s, p in zip(starts, pads, strict=True)], strides, counts)
            wins = None if best is None else logical_or(gt(tap, best), differs(tap, tap))
            place = here if place is None or wins is None else where(wins, here, place)
            best = tap if best is None or wins is None else where(wins, tap, best)
        else:
            best = tap if best is None else maximum(best, tap)
    assert best is not None and prod(window) > 0
    if place is None:
        return best, None
    return best, place.expand(*best.shape)


def _places(x: Tensor, starts: list[int], strides: tuple[int, ...], counts: list[Size]) -> Tensor:
    """[1, 1, *counts]: the places of one element of every window in a channel's image."""
    total: Tensor | None = None
    rank = len(counts)
    for i, (start, step, count) in enumerate(zip(starts, strides, counts, strict=True)):
        along = add(mul(arange(count, network=x.network), step), start)
        along = along.reshape(1, 1, *(-1 if a == i else 1 for a in range(rank)))
        total = along if total is None else add(mul(total, x.shape[2 + i]), along)
    assert total is not None
    return total
