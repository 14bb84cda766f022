"""How far an array is from the one that was expected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtnet.support import dtypes
from trtnet.verify.metrics.quantiles import Quantiles
from trtnet.verify.metrics.ranking import CHUNK, Ranking, rank
from trtnet.verify.metrics.vectors import Vectors, ratio
from trtnet.verify.metrics.worst_parts import Parts

Array = NDArray[Any]
Floats = NDArray[np.float64]
Number = int | float
"""Of integers and bools an integer, which is exact."""


@dataclass(frozen=True)
class Place:
    """One element of both arrays."""

    index: tuple[int, ...]
    found: Number
    expected: Number

    def __str__(self) -> str:
        return f"{list(self.index)}: {written(self.found, '.6g')}, expected {written(self.expected, '.6g')}"


def written(value: Number, form: str) -> str:
    """A number in a form for floats; integers with all their digits."""
    return str(value) if isinstance(value, int) else format(value, form)


@dataclass(frozen=True)
class Counts:
    """Values of one array that are not finite."""

    nan: int = 0
    inf: int = 0


@dataclass(frozen=True)
class Metrics:
    """How far `found` is from `expected`, all of it in float64; the differences of integers are exact.

    The error of an element is |found - expected|. It is infinite where one of the two is NaN, both included, and where
    one is infinite and the other is not the same: so a value that is not finite is never overlooked, unless the very
    same infinity was expected at that place (a mask's), where the error is 0.

    different: elements that are not equal. max_abs, mean_abs: of the errors. max_rel: the largest error over
    |expected|; infinite for an error where 0 was expected. outside: elements with an error above atol and, relative to
    |expected|, above rtol; rtol_needed: the smallest rtol with which, beside that atol, none is; atol_needed: the
    smallest atol beside that rtol. relative_l2: |found - expected| / |expected| of the whole as vectors. cosine: of the
    angle between them. psnr: decibels, of the largest |expected| against the mean squared error. p50 to p99: quantiles
    of the errors (to 0.8 %). worst: the first element with the largest error, None if all are equal. nonfinite,
    expected_nonfinite: what `found` and `expected` have of NaN and infinities. ranking: whether the rows along the last
    axis choose the same places; None for integers, bools and arrays without rows. constant: whether several values were
    expected, and all are one. parts: the worst element and sample; None where nobody asked.
    Of arrays of different shapes only shapes and dtypes are known: the errors are infinite.
    """

    shape: tuple[int, ...]
    expected_shape: tuple[int, ...]
    dtype: str
    expected_dtype: str
    different: int
    max_abs: Number = float("inf")
    mean_abs: float = float("inf")
    max_rel: float = float("inf")
    outside: int = 0
    rtol_needed: float = float("inf")
    atol_needed: float = float("inf")
    relative_l2: float = float("inf")
    cosine: float = float("nan")
    psnr: float = float("-inf")
    p50: float = float("inf")
    p90: float = float("inf")
    p95: float = float("inf")
    p99: float = float("inf")
    worst: Place | None = None
    nonfinite: Counts = Counts()
    expected_nonfinite: Counts = Counts()
    ranking: Ranking | None = None
    constant: bool = False
    parts: Parts | None = None

    @property
    def same_shape(self) -> bool:
        return self.shape == self.expected_shape


def measure(found: Array, expected: Array, *, atol: float = 0.0, rtol: float = 0.0, margin: float = 0.0) -> Metrics:
    """Compares two arrays of any dtypes of :mod:`trtnet.support.dtypes`.

    atol, rtol: see ``Metrics.outside``. margin: see ``Ranking.decided``. It works through a few thousand elements at a
    time, so it needs next to no memory beside the arrays.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    names = dtypes.get(found.dtype).name, dtypes.get(expected.dtype).name
    if found.shape != expected.shape:
        count = max(found.size, expected.size)
        return Metrics(found.shape, expected.shape, *names, different=count, outside=count)
    sums = _Sums(atol, rtol)
    for start, a, b in _chunks(found, expected):
        sums.add(start, a, b)
    if sums.different and sums.max_abs < float("inf") and sums.vectors.are_lost:
        sums.vectors = _scaled(found, expected)
    floating = dtypes.get(expected.dtype).is_floating
    return sums.metrics(found, expected, names, rank(found, expected, margin) if floating else None)


def relative_l2(found: Array, expected: Array) -> float:
    """``Metrics.relative_l2`` of two arrays, the same number, at a tenth of the time of all the others."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape == expected.shape and dtypes.get(expected.dtype).is_floating:
        errors = squares = 0.0
        with np.errstate(invalid="ignore", over="ignore"):  # the sums tell
            for _, a, b in _chunks(found, expected):
                wide = b.astype(np.float64)
                error = a.astype(np.float64) - wide
                errors, squares = errors + float(error @ error), squares + float(wide @ wide)
        if np.isfinite(errors) and 0 < squares < float("inf"):
            return ratio(errors, squares) ** 0.5
    return measure(found, expected).relative_l2


def _scaled(found: Array, expected: Array) -> Vectors:
    """Sums of squares in units of the largest value, none of which is infinite."""
    parts = (np.abs(x.astype(np.float64)) for _, *both in _chunks(found, expected) for x in both)
    vectors = Vectors(max(float(x.max(where=np.isfinite(x), initial=0.0)) for x in parts))
    for _, a, b in _chunks(found, expected):
        wide = a.astype(np.float64), b.astype(np.float64)
        vectors.add(_errors(*wide), *wide)
    return vectors


def _chunks(found: Array, expected: Array) -> Iterator[tuple[int, Array, Array]]:
    a, b = found.reshape(-1), expected.reshape(-1)
    for start in range(0, a.size, CHUNK):
        yield start, a[start : start + CHUNK], b[start : start + CHUNK]


class _Sums:
    """What is known of the chunks so far."""

    def __init__(self, atol: float, rtol: float) -> None:
        self.atol, self.rtol = atol, rtol
        self.different = self.outside = 0
        self.max_abs: Number = 0
        self.max_rel = self.rtol_needed = self.atol_needed = self.sum_abs = 0.0
        self.vectors = Vectors()
        self.nonfinite, self.expected_nonfinite = Counts(), Counts()
        self.worst: int | None = None
        self.lowest, self.highest = float("inf"), float("-inf")
        self.quantiles = Quantiles()

    def add(self, start: int, found: Array, expected: Array) -> None:
        a, b = found.astype(np.float64), expected.astype(np.float64)
        self.nonfinite = _with_counts(self.nonfinite, a)
        self.expected_nonfinite = _with_counts(self.expected_nonfinite, b)
        exact = _differences(found, expected) if _are_integers(found, expected) else _errors(a, b)
        errors = exact.astype(np.float64, copy=False)
        self._add_largest(start, exact)
        self._add_elements(errors, _relative(errors, np.abs(b)))
        self.vectors.add(errors, a, b)
        self.lowest, self.highest = min(self.lowest, float(b.min())), max(self.highest, float(b.max()))

    def _add_largest(self, start: int, errors: NDArray[Any]) -> None:
        largest = int(errors.argmax())
        if errors[largest] > self.max_abs:
            self.max_abs, self.worst = errors[largest].item(), start + largest

    def _add_elements(self, errors: Floats, relative: Floats) -> None:
        above_atol, above_rtol = ~(errors <= self.atol), ~(relative <= self.rtol)  # NaN holds nothing
        self.different += int(np.count_nonzero(errors))
        self.outside += int(np.count_nonzero(above_atol & above_rtol))
        self.max_rel = max(self.max_rel, float(relative.max()))
        self.rtol_needed = max(self.rtol_needed, float(relative.max(where=above_atol, initial=0)))
        self.atol_needed = max(self.atol_needed, float(errors.max(where=above_rtol, initial=0)))
        self.sum_abs += float(errors.sum())
        self.quantiles.add(errors)

    def metrics(self, found: Array, expected: Array, names: tuple[str, str], ranking: Ranking | None) -> Metrics:
        size = max(found.size, 1)
        return Metrics(
            found.shape,
            expected.shape,
            *names,
            different=self.different,
            max_abs=_as_number(found, expected)(self.max_abs),
            mean_abs=self.sum_abs / size,
            max_rel=self.max_rel,
            outside=self.outside,
            rtol_needed=self.rtol_needed,
            atol_needed=self.atol_needed,
            relative_l2=self.vectors.relative,
            cosine=self.vectors.cosine,
            psnr=self.vectors.decibels(size),
            p50=min(self.quantiles.at(0.5), self.max_abs),
            p90=min(self.quantiles.at(0.9), self.max_abs),
            p95=min(self.quantiles.at(0.95), self.max_abs),
            p99=min(self.quantiles.at(0.99), self.max_abs),
            worst=self._worst(found, expected),
            nonfinite=self.nonfinite,
            expected_nonfinite=self.expected_nonfinite,
            ranking=ranking,
            constant=expected.size > 1 and self.lowest == self.highest,
        )

    def _worst(self, found: Array, expected: Array) -> Place | None:
        if self.worst is None:
            return None
        index = tuple(int(i) for i in np.unravel_index(self.worst, expected.shape))
        as_number = _as_number(found, expected)
        return Place(index, as_number(found[index]), as_number(expected[index]))


def _with_counts(counts: Counts, values: Floats) -> Counts:
    nan, inf = np.count_nonzero(np.isnan(values)), np.count_nonzero(np.isinf(values))
    return Counts(counts.nan + int(nan), counts.inf + int(inf))


def _are_integers(found: Array, expected: Array) -> bool:
    return not (dtypes.get(found.dtype).is_floating or dtypes.get(expected.dtype).is_floating)


def _as_number(found: Array, expected: Array) -> type[int] | type[float]:
    return int if _are_integers(found, expected) else float


def _differences(found: Array, expected: Array) -> NDArray[np.uint64]:
    """|found - expected| of integers: of two of 64 bits it needs all 64, and no sign."""
    a, b = found.astype(np.int64), expected.astype(np.int64)
    return np.maximum(a, b).astype(np.uint64) - np.minimum(a, b).astype(np.uint64)


def _errors(a: Floats, b: Floats) -> Floats:
    """|a - b|, infinite as Metrics says."""
    with np.errstate(invalid="ignore"):
        errors = np.where(a == b, 0.0, np.abs(a - b))
    return np.where((a != b) & ~(np.isfinite(a) & np.isfinite(b)), np.inf, errors)


def _relative(errors: Floats, magnitudes: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        relative = errors / magnitudes
    return np.where(errors == 0, 0.0, np.where(np.isinf(errors), np.inf, relative))
