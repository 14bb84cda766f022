"""From the values that were seen to the range that is quantized: the largest, a percentile, or the least error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trtnet.checkpoint.quantized.rounding import LARGEST, rounded
from trtnet.support.dtypes import DType

Array = np.ndarray[Any, Any]
BINS = 2048
SMALLEST = 1e-33
"""Smaller magnitudes count as 0: the scales of a range of such ones are no normal float32, in NVFP4 neither."""
PERCENTILE = 0.9999
_CANDIDATES = 128
_LEVELS = 128
"""Magnitudes of int8."""


class Histogram:
    """How often magnitudes were seen. The range doubles as larger ones come; at most half of the bins are unused."""

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)
        self.range = 0.0
        self.largest = 0.0

    def add(self, values: Array) -> None:
        """Counts the magnitudes of an array; infinities and NaN are not counted, and what no scale can tell is 0."""
        found = np.abs(values.astype(np.float32)).reshape(-1)
        found = found[np.isfinite(found)]
        found[found < SMALLEST] = 0
        if not found.size:
            return
        self.largest = max(self.largest, float(found.max()))
        if self.range == 0:
            self.range = self.largest
        while self.largest > self.range:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(1), np.zeros(BINS // 2, np.int64)])
            self.range *= 2
        if self.range > 0:
            self.counts += np.histogram(found, BINS, (0, self.range))[0]

    @property
    def edges(self) -> Array:
        """The upper bounds of the bins."""
        return self.range * np.arange(1, BINS + 1) / BINS

    @property
    def centers(self) -> Array:
        """The middles of the bins."""
        return self.edges - self.range / BINS / 2

    def logarithms(self, bars: int = 64) -> tuple[float, ...]:
        """``log(1 + count)`` of so many parts of the range up to the largest magnitude."""
        if not self.range:
            return ()
        used = max(int(np.ceil(self.largest / self.range * BINS)), 1)
        parts = np.array_split(self.counts[:used], min(bars, used))
        return tuple(round(float(np.log1p(part.sum())), 3) for part in parts)


def largest_of(dtype: DType) -> float:
    """The magnitude that the largest value of a dtype has."""
    return LARGEST[dtype.name]


def _max(seen: Histogram, dtype: DType) -> float:
    return seen.largest


def _percentile(seen: Histogram, dtype: DType) -> float:
    shares = np.cumsum(seen.counts) / seen.counts.sum()
    return min(float(seen.edges[np.searchsorted(shares, PERCENTILE)]), seen.largest)


def _mse(seen: Histogram, dtype: DType) -> float:
    tried = np.minimum(seen.range * np.arange(1, _CANDIDATES + 1) / _CANDIDATES, seen.largest)
    errors = [float((seen.counts * (seen.centers - _rounded(seen.centers, amax, dtype)) ** 2).sum()) for amax in tried]
    return float(tried[int(np.argmin(errors))])


def _entropy(seen: Histogram, dtype: DType) -> float:
    """The least Kullback-Leibler divergence of what is quantized to 128 levels from what was seen.

    Source: Migacz, "8-bit Inference with TensorRT", 2017.
    """
    counts = seen.counts.astype(np.float64)
    counts[0] = counts[1]  # zeros, as a ReLU makes them, are exact at each range
    tried = range(_LEVELS, BINS + 1, BINS // _CANDIDATES)
    return min(float(seen.edges[min(tried, key=lambda stop: _divergence(counts, stop)) - 1]), seen.largest)


def _divergence(counts: Array, stop: int) -> float:
    reference = counts[:stop].copy()
    quantized = np.zeros(stop)
    level = np.arange(stop) * _LEVELS // stop
    seen = reference > 0
    sums, cells = np.bincount(level, reference, _LEVELS), np.bincount(level, seen, _LEVELS)
    quantized[seen] = (sums / np.maximum(cells, 1))[level[seen]]
    reference[-1] += counts[stop:].sum()
    p, q = reference / reference.sum(), quantized / max(quantized.sum(), 1e-30)
    both = (p > 0) & (q > 0)
    lost = float(p[(p > 0) & (q == 0)].sum())  # what was seen and is quantized to nothing
    return float((p[both] * np.log(p[both] / q[both])).sum()) + lost * 1e3


def _rounded(values: Array, amax: float, dtype: DType) -> Array:
    scale = amax / largest_of(dtype)
    return rounded(values / scale, dtype).astype(np.float64) * scale


METHODS: Mapping[str, Callable[[Histogram, DType], float]] = {
    "max": _max,
    "percentile": _percentile,
    "mse": _mse,
    "entropy": _entropy,
}
"""How the largest magnitude that is represented is found, by name."""


def power_of_two(scale: float) -> float:
    """The next one above, or the scale where it is one."""
    return 2.0 ** math.ceil(math.log2(scale))


def scale_of(seen: Histogram, dtype: DType, method: str) -> float:
    """The scale of inputs of this dtype; 1 where nothing but zeros was seen.

    That of a float8 is a power of two, the next one above: floats lose nothing by it, and TensorRT, which multiplies by
    the reciprocal in the network's dtype, does so without rounding.
    """
    if seen.largest == 0:
        return 1.0
    scale = METHODS[method](seen, dtype) / largest_of(dtype)
    return scale if dtype.name == "int8" else power_of_two(scale)
