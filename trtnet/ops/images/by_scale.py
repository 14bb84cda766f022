"""Images resized by scales that TensorRT's resize does not compute exactly: pixels at the places of torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.rounding import floor
from trtnet.ops.indexing.gather import index_select
from trtnet.support.dtypes import float32

Places = Any
"""Positions along an axis: an array where the sizes are known, else a tensor."""
TORCHS_CUBIC = -0.75


def nearest(x: Tensor, new: Sequence[Size], scales: Sequence[float], mode: str) -> Tensor:
    """The nearest pixels of each axis: floor(place * (1 / scale)) in float32, as torch computes it."""
    shift = 0.5 if mode == "nearest-exact" else 0.0
    for axis, (size, scale) in enumerate(zip(new, scales, strict=True), start=2):
        if scale != 1:
            last = x.shape[axis] - 1
            places = _floor(_counted(x, size, last, shift) * np.float32(1 / scale))
            x = index_select(x, axis, _index(x, places, last))
    return x


def weighted(x: Tensor, new: Sequence[Size], scales: Sequence[float], mode: str) -> Tensor:
    """Each axis as a weighted sum of 2 pixels, or of 4 in mode "bicubic", in float32. Returns float32."""
    x = cast(x, float32)
    for axis, (size, scale) in enumerate(zip(new, scales, strict=True), start=2):
        if scale == 1:
            continue
        last, column = x.shape[axis] - 1, [-1 if a == axis else 1 for a in range(x.ndim)]
        places = _counted(x, size, last, 0.5) * np.float32(1 / scale) - 0.5
        parts = [
            mul(index_select(x, axis, _index(x, places, last)), weight.reshape(column))
            for places, weight in (_four(places) if mode == "bicubic" else _two(places))
        ]
        x = sum(parts[1:], start=parts[0])
    return x


def near(distance: Places, a: float) -> Places:
    """The cubic filter (Keys, 1981) of pixels at most 1 away."""
    return ((a + 2) * distance - (a + 3)) * distance * distance + 1


def far(distance: Places, a: float) -> Places:
    """The cubic filter of pixels between 1 and 2 away."""
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a


def _two(places: Places) -> list[tuple[Places, Places]]:
    """The pixels on both sides of each place, and their weights."""
    places = _at_least_0(places)
    before = _floor(places)
    after = places - before
    return [(before, 1 - after), (before + 1, after)]


def _four(places: Places) -> list[tuple[Places, Places]]:
    before = _floor(places)
    t, a = places - before, TORCHS_CUBIC
    return [
        (before - 1, far(t + 1, a)),
        (before, near(t, a)),
        (before + 1, near(1 - t, a)),
        (before + 2, far(2 - t, a)),
    ]


def _counted(x: Tensor, size: Size, last: Size, shift: float) -> Places:
    """0, 1, 2, ... + shift in float32."""
    if isinstance(size, int) and isinstance(last, int):
        return np.arange(size, dtype=np.float32) + np.float32(shift)
    return add(cast(arange(size, network=x.network), float32), shift)


def _index(x: Tensor, places: Places, last: Size) -> Tensor:
    """Whole places as an index, those outside as the nearest inside."""
    if isinstance(places, np.ndarray) and isinstance(last, int):
        return constant(x.network, np.clip(places, 0, last).astype(np.int64))
    return minimum(cast(_at_least_0(places), "int64"), last)


def _floor(places: Places) -> Places:
    return np.floor(places) if isinstance(places, np.ndarray) else floor(places)


def _at_least_0(places: Places) -> Places:
    return np.maximum(places, 0) if isinstance(places, np.ndarray) else maximum(places, 0)
