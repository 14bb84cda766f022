"""Two arrays as vectors: their lengths, and the length of their difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass
class Vectors:
    """Sums over chunks of two arrays in float64.

    unit: what values are divided by, as huge and tiny ones have squares that no float64 holds. peak: the largest
    |expected|.
    """

    unit: float = 1.0
    errors: float = 0.0
    found: float = 0.0
    expected: float = 0.0
    dot: float = 0.0
    peak: float = 0.0

    def add(self, errors: Floats, a: Floats, b: Floats) -> None:
        """errors: |a - b|, as Metrics says. An infinity that both have is left out."""
        masked = np.isinf(b) & (errors == 0)
        a, b = (np.where(masked, 0, x) / self.unit for x in (a, b))
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite makes them NaN or infinite
            errors = errors / self.unit
            self.errors += float(errors @ errors)
            self.dot += float(a @ b)
            self.found += float(a @ a)
            self.expected += float(b @ b)
        self.peak = max(self.peak, float(np.abs(b).max()))

    @property
    def are_lost(self) -> bool:
        """Whether finite values have squares that no float64 holds, or holds as 0."""
        sums = (self.errors, self.found, self.expected)
        return not np.isfinite(sums).all() or 0 in sums

    @property
    def relative(self) -> float:
        """|found - expected| / |expected|: 0 of nothing is 0, anything else of it infinite."""
        return ratio(self.errors, self.expected) ** 0.5

    @property
    def cosine(self) -> float:
        lengths = self.found**0.5 * self.expected**0.5
        if lengths == 0:
            return 1.0 if self.errors == 0 else 0.0
        return self.dot / lengths

    def decibels(self, size: int) -> float:
        """Of the peak against the mean squared error of so many elements."""
        if self.errors == 0:
            return float("inf")
        quotient = self.peak**2 / (self.errors / size) if self.errors < float("inf") else 0.0
        return 10 * float(np.log10(quotient)) if quotient > 0 else float("-inf")


def ratio(part: float, whole: float) -> float:
    """part / whole of sums that may be 0 or not finite: 0 of nothing is 0, anything else of it infinite."""
    if part == 0:
        return 0.0
    return part / whole if 0 < whole < float("inf") else float("inf")
