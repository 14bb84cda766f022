"""The worst element and the worst sample of an array: what the error of the whole hides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtnet.verify.metrics.ranking import CHUNK, LONGEST

Floats = NDArray[np.float64]

LEAST = 1e-3
"""A sample is measured against its own size, but not against less than this share of the size of all of them."""


@dataclass(frozen=True)
class Parts:
    """The largest relative errors of parts.

    element: of an element, its error over the largest of its |expected|, the root mean square of its row along the last
    axis and that of the whole. index: where. sample: the largest relative L2 of an entry of axis 0; None without
    several entries, and for arrays of one axis. Its expected length is taken to be at least that of an entry with
    `LEAST` of the whole's root mean square, or 1/n of it where an entry has fewer than 1/LEAST = n elements: a single
    number near 0 says nothing of its own. number: which entry.
    """

    element: float = 0.0
    index: tuple[int, ...] = ()
    sample: float | None = None
    number: int = 0


def parts(found: NDArray[Any], expected: NDArray[Any]) -> Parts:
    """Measures two arrays of one shape, a few thousand elements at a time.

    The same infinity at one place is no error and has no size; anything else that is not finite is an infinite error.
    """
    shape = expected.shape
    if expected.size == 0:
        return Parts()
    size = _root_mean_square(expected)
    width = shape[-1] if len(shape) > 1 and shape[-1] <= LONGEST else 1
    samples = shape[0] if len(shape) > 1 else 1
    rows = expected.size // width // samples
    squares = np.zeros((2, samples))
    element, place = 0.0, 0
    for start, errors, wanted in _blocks(found.reshape(-1, width), expected.reshape(-1, width)):
        row = np.sqrt(np.mean(wanted * wanted, axis=1, keepdims=True))
        relative = _ratio(errors, np.maximum(np.abs(wanted), np.maximum(row, size)))
        largest = int(relative.argmax())
        if relative.flat[largest] > element:
            element, place = float(relative.flat[largest]), start * width + largest
        which = (start + np.arange(len(wanted))) // rows
        for total, values in zip(squares, (errors, wanted), strict=True):
            total += np.bincount(which, (values * values).sum(1), samples)
    index = tuple(int(i) for i in np.unravel_index(place, shape))
    if samples == 1:
        return Parts(element, index)
    least = size * max(LEAST, samples / expected.size) * (expected.size / samples) ** 0.5
    lengths = _ratio(np.sqrt(squares[0]), np.maximum(np.sqrt(squares[1]), least))
    number = int(lengths.argmax())
    return Parts(element, index, float(lengths[number]), number)


def _blocks(found: NDArray[Any], expected: NDArray[Any]) -> Iterator[tuple[int, Floats, Floats]]:
    """(first row, errors, expected values) of some rows."""
    step = max(1, CHUNK // found.shape[1])
    for start in range(0, len(found), step):
        a, b = (x[start : start + step].astype(np.float64) for x in (found, expected))
        with np.errstate(invalid="ignore"):
            errors = np.where(a == b, 0.0, np.abs(a - b))
        errors[np.isnan(errors)] = np.inf
        yield start, errors, np.where(np.isfinite(b), b, 0.0)


def _root_mean_square(values: NDArray[Any]) -> float:
    flat, total = values.reshape(-1), 0.0
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK].astype(np.float64)
        part[~np.isfinite(part)] = 0.0
        total += float(part @ part)
    return float(np.sqrt(total / flat.size))


def _ratio(errors: Floats, sizes: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(errors == 0, 0.0, errors / sizes)
