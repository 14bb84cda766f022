"""The worst element, sample and channel of an array, and what is beside a mask: what the error of the whole hides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtnet.verify.metrics.ranking import CHUNK, LONGEST

Floats = NDArray[np.float64]

LEAST = 1e-3
"""A sample is measured against its own size, but not against less than this share of the size of all of them."""
FEWEST = 32
"""A channel of fewer values than this says nothing of its own."""
MASKED = 100
"""How many times as large as all others a value is that fills places: -65504, -1e9."""


@dataclass(frozen=True)
class Parts:
    """The largest relative errors of parts.

    element: of an element, its error over the largest of its |expected|, the root mean square of its row along the last
    axis and that of the whole. index: where. sample: the largest relative L2 of an entry of axis 0; None without
    several entries, and for arrays of one axis. Its expected length is taken to be at least that of an entry with
    `LEAST` of the whole's root mean square, or 1/n of it where an entry has fewer than 1/LEAST = n elements: a single
    number near 0 says nothing of its own. number: which entry. channel: the same of the entries of axis 1 and of the
    last axis that have at least `FEWEST` values, such as the boxes and the scores of a detector; axis, place: which;
    None without such entries.
    beside: the relative L2 without the places of `fill`, a value `MASKED` times as large as all others, which both
    arrays have at the same places; None without such a value. All other parts are measured without it, too.
    """

    element: float = 0.0
    index: tuple[int, ...] = ()
    sample: float | None = None
    number: int = 0
    channel: float | None = None
    axis: int = 1
    place: int = 0
    beside: float | None = None
    fill: float = 0.0


def parts(found: NDArray[Any], expected: NDArray[Any]) -> Parts:
    """Measures two arrays of one shape, a few thousand elements at a time.

    The same infinity at one place is no error and has no size; anything else that is not finite is an infinite error.
    """
    shape = expected.shape
    if expected.size == 0:
        return Parts()
    fill, beside = _fill(found, expected)
    size = _root_mean_square(expected, fill)
    width = shape[-1] if len(shape) > 1 and shape[-1] <= LONGEST else 1
    samples = shape[0] if len(shape) > 1 else 1
    along = [(0, samples)] + [(axis, shape[axis]) for axis in sorted({1, len(shape) - 1}) if 1 <= axis < len(shape)]
    squares = [np.zeros((2, count)) for _, count in along]
    element, index = 0.0, 0
    for start, errors, wanted in _blocks(found.reshape(-1, width), expected.reshape(-1, width), fill):
        row = np.sqrt(np.mean(wanted * wanted, axis=1, keepdims=True))
        relative = _ratio(errors, np.maximum(np.abs(wanted), np.maximum(row, size)))
        largest = int(relative.argmax())
        if relative.flat[largest] > element:
            element, index = float(relative.flat[largest]), start * width + largest
        for (axis, count), totals in zip(along, squares, strict=True):
            inner = expected.size // int(np.prod(shape[: axis + 1])) if shape else 1
            which = np.arange(start * width, start * width + errors.size) // inner % count
            for total, values in zip(totals, (errors, wanted), strict=True):
                total += np.bincount(which, np.square(values).reshape(-1), count)
    worst = Parts(element, tuple(int(i) for i in np.unravel_index(index, shape)), beside=beside, fill=fill or 0.0)
    return _with_entries(worst, along, squares, size, expected.size)


def _with_entries(
    worst: Parts, along: list[tuple[int, int]], squares: list[NDArray[np.float64]], size: float, elements: int
) -> Parts:
    """Also what single entries of axes are off by. squares: of the errors and of what was expected of each."""
    for (axis, count), (errors, wanted) in zip(along, squares, strict=True):
        each = elements // count
        if count == 1 or (axis and each < FEWEST):
            continue
        least = size * max(LEAST, 1 / each) * each**0.5
        lengths = _ratio(np.sqrt(errors), np.maximum(np.sqrt(wanted), least))
        number = int(lengths.argmax())
        if axis == 0:
            worst = replace(worst, sample=float(lengths[number]), number=number)
        elif worst.channel is None or lengths[number] > worst.channel:
            worst = replace(worst, channel=float(lengths[number]), axis=axis, place=number)
    return worst


def _fill(found: NDArray[Any], expected: NDArray[Any]) -> tuple[float | None, float | None]:
    """The value that fills places of both arrays and hides all others, and the relative L2 beside it; None, None."""
    largest = max((_largest(b) for _, b in _chunks(found, expected)), key=abs)
    count, others, errors, squares = 0, 0, 0.0, 0.0
    for a, b in _chunks(found, expected):
        at = b == largest
        if not np.array_equal(a[at], b[at]):
            return None, None
        count += int(at.sum())
        a, b = a[~at & np.isfinite(b)], b[~at & np.isfinite(b)]
        others, errors, squares = others + b.size, errors + float(np.square(a - b).sum()), squares + float(b @ b)
    if count < 2 or not others or abs(largest) < MASKED * (squares / others) ** 0.5:
        return None, None
    return largest, float(_ratio(np.sqrt([errors]), np.sqrt([squares]))[0])


def _chunks(found: NDArray[Any], expected: NDArray[Any]) -> Iterator[tuple[Floats, Floats]]:
    a, b = found.reshape(-1), expected.reshape(-1)
    for start in range(0, b.size, CHUNK):
        yield a[start : start + CHUNK].astype(np.float64), b[start : start + CHUNK].astype(np.float64)


def _largest(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[np.abs(finite).argmax()]) if finite.size else 0.0


def _blocks(found: NDArray[Any], expected: NDArray[Any], fill: float | None) -> Iterator[tuple[int, Floats, Floats]]:
    """(first row, errors, expected values) of some rows."""
    step = max(1, CHUNK // found.shape[1])
    for start in range(0, len(found), step):
        a, b = (x[start : start + step].astype(np.float64) for x in (found, expected))
        with np.errstate(invalid="ignore"):
            errors = np.where(a == b, 0.0, np.abs(a - b))
        errors[np.isnan(errors)] = np.inf
        yield start, errors, np.where(np.isfinite(b) & (b != fill), b, 0.0)


def _root_mean_square(values: NDArray[Any], fill: float | None) -> float:
    flat, total = values.reshape(-1), 0.0
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK].astype(np.float64)
        part[~np.isfinite(part) | (part == fill)] = 0.0
        total += float(part @ part)
    return float(np.sqrt(total / flat.size))


def _ratio(errors: Floats, sizes: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(errors == 0, 0.0, errors / sizes)
