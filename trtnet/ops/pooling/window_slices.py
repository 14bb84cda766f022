"""Windows taken apart: a slice for each of their elements, for pooling that IPoolingLayer does not have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, mul
from trtnet.ops.elementwise.comparison import gt, ne as differs, where
from trtnet.ops.elementwise.logic import logical_or
from trtnet.ops.pooling.windows import Windows
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


def padded_for(x: Tensor, windows: Windows, value: float) -> tuple[Tensor, list[Size]]:
    """(`x` with all that windows reach, the number of windows of each axis): none starts beyond x and its padding."""
    rounded = [step - 1 if windows.rounds_up else 0 for step in windows.strides]
    numbers = reversed(list(zip(windows.pads, rounded, strict=True)))
    sides = [side for pad_size, more in numbers for side in (pad_size, pad_size + more)]
    return (pad(x, sides, value=value) if any(sides) else x), windows.counts(x)


def taps(x: Tensor, windows: Windows, value: float) -> Iterator[tuple[list[int], Tensor]]:
    """Of each element of a window (its place in `x` of the first window, that element of all windows).

    value: what is beyond `x`. As much is added before an axis as behind it: see _is_computed_wrong in shapes/pad.py.
    """
    sides = [max(windows.beyond(size, i)) for i, size in enumerate(x.shape[2:])]
    padded = pad(x, [side for side in reversed(sides) for _ in range(2)], value=value) if any(sides) else x
    counts = windows.counts(x)
    for offsets in np.ndindex(*windows.sizes):
        numbers = zip(offsets, windows.dilations, windows.pads, strict=True)
        places = [int(offset) * apart - before for offset, apart, before in numbers]
        cuts = {
            2 + i: Cut(place + side, count, step)
            for i, (place, side, count, step) in enumerate(zip(places, sides, counts, windows.strides, strict=True))
        }
        yield places, cut(padded, cuts)


def lowest(x: Tensor) -> float:
    """What is never larger than an element."""
    return float("-inf") if x.dtype.is_floating else int(np.iinfo(x.dtype.numpy).min)


def largest_of_taps(x: Tensor, windows: Windows) -> Tensor:
    """The largest of each window."""
    return reduce(maximum, (tap for _, tap in taps(x, windows, lowest(x))))


def largest_and_places(x: Tensor, windows: Windows) -> tuple[Tensor, Tensor]:
    """(the largest of each window, int64 its place in a channel's image). The first of equal ones; NaN wins."""
    best: Tensor | None = None
    place: Tensor | None = None
    counts = windows.counts(x)
    for starts, tap in taps(x, windows, lowest(x)):
        here = _places(x, starts, windows.strides, counts)
        if best is None or place is None:
            best, place = tap, here
            continue
        wins = logical_or(gt(tap, best), differs(tap, tap))
        best, place = where(wins, tap, best), where(wins, here, place)
    assert best is not None and place is not None
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
