"""Quantiles of errors in constant memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SHIFT = 16
_BUCKETS = 1 << (31 - _SHIFT)


class Quantiles:
    """Counts values of at least 0 by the upper bits of their float32 form, which sort as the values do.

    A quantile is right to 2^-7 (0.8 %): a bucket is one exponent and seven bits of the mantissa.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)

    def add(self, values: NDArray[np.float64]) -> None:
        """Counts values; infinite ones too."""
        with np.errstate(over="ignore"):
            bits = values.astype(np.float32).view(np.uint32) >> _SHIFT
        self._counts += np.bincount(bits.ravel(), minlength=_BUCKETS)

    def at(self, fraction: float) -> float:
        """The value that `fraction` of the counted ones do not exceed, rounded up in its bucket; 0 if none is counted.

        Values of the lowest bucket, below 1e-40, are 0.
        """
        total = int(self._counts.sum())
        if total == 0:
            return 0.0
        rank = max(1, int(np.ceil(fraction * total)))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        infinity = np.float32(np.inf).view(np.uint32) >> _SHIFT
        if bucket in (0, int(infinity)):
            return 0.0 if bucket == 0 else float("inf")
        last = (bucket << _SHIFT) | ((1 << _SHIFT) - 1)
        return float(np.uint32(last).view(np.float32))
