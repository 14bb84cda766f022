"""Whether two arrays of scores choose the same classes or tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 13
"""How many values are looked at together: few enough to stay in a processor's cache, and for numpy's BLAS not to start
threads for a sum, which wait for each other on a busy machine (from 10,000 on)."""

LONGEST = 1 << 20
"""Rows of more values are no scores of classes."""

TOP = 5


@dataclass(frozen=True)
class Ranking:
    """How far the rows of scores agree.

    rows: how many there are. argmax: the fraction that has the same largest value. top: the mean share of the `TOP`
    largest that is the same, in any order. decided: how many rows have, in the expected scores, a first place that is
    ahead of the second by the margin at least. token: the fraction of those with the same largest value; 1 if there
    are none.
    A row with a NaN agrees in nothing.
    """

    rows: int
    argmax: float
    top: float
    decided: int
    token: float


def rank(found: NDArray[Any], expected: NDArray[Any], margin: float = 0.0) -> Ranking | None:
    """Compares the rows along the last axis of two arrays of one shape.

    margin: in the units of the scores. None for arrays without rows: scalars, rows of one value, empty arrays, and rows
    of more than `LONGEST` values.
    """
    length = expected.shape[-1] if expected.ndim else 0
    if not 1 < length <= LONGEST or expected.size == 0:
        return None
    a, b = found.reshape(-1, length), expected.reshape(-1, length)
    step = max(1, CHUNK // length)
    totals = np.sum([_counts(a[i : i + step], b[i : i + step], margin) for i in range(0, len(b), step)], axis=0)
    same, share, decided, right = (float(total) for total in totals)
    return Ranking(len(b), same / len(b), share / len(b), int(decided), right / decided if decided else 1.0)


def _counts(found: NDArray[Any], expected: NDArray[Any], margin: float) -> NDArray[np.float64]:
    """(rows of one argmax, sum of the shares of the largest, decided rows, those of one argmax) of some rows."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    valid = ~(np.isnan(a) | np.isnan(b)).any(axis=1)
    same = (a.argmax(axis=1) == b.argmax(axis=1)) & valid
    first, second = _two_largest(b)
    with np.errstate(invalid="ignore"):
        ahead = ~(np.where(first == second, 0, first - second) < margin)
    places = min(TOP, a.shape[1])
    ours, theirs = (np.argpartition(x, -places, axis=1)[:, -places:] for x in (a, b))
    shared = (ours[:, :, None] == theirs[:, None, :]).sum(axis=(1, 2)) / places
    return np.array([same.sum(), (shared * valid).sum(), ahead.sum(), (same & ahead).sum()])


def _two_largest(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    largest = np.partition(rows, -2, axis=1)
    return largest[:, -1], largest[:, -2]
