"""How far two tensors of checkpoints are from each other, read in pieces: neither is in memory as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from trtnet.checkpoint import Array, Checkpoint
from trtnet.support import dtypes

PIECE = 1 << 20
"""Elements that are compared at a time: of float64, 8 MiB."""
THREADS = 2

_Part = tuple[bool, float | int, float, float]


def distance(left: Checkpoint, right: Checkpoint, key: str) -> tuple[bool, float | int, float]:
    """(bit for bit equal, largest difference, relative L2 distance) of the tensors of a key, of equal shape.

    In float64; of integers the largest difference is exact, an int. Equal infinities, and NaN in both, do not differ.
    Raises CheckpointError if one cannot be read.
    """
    whole = not any(one.info(key).dtype.is_floating for one in (left, right))
    equal = left.info(key).dtype == right.info(key).dtype
    most: float | int = 0 if whole else 0.0
    squares, gaps = 0.0, 0.0
    for same, gap, square, norm in _parts(left, right, key, whole):
        equal &= same
        most = gap if math.isnan(gap) or gap > most else most
        gaps, squares = gaps + square, squares + norm
    return equal, most, _relative(math.sqrt(gaps), math.sqrt(squares))


def _parts(left: Checkpoint, right: Checkpoint, key: str, whole: bool) -> Iterator[_Part]:
    """What is known of each piece, some of them worked on side by side."""
    pairs = zip(left.pieces(key, PIECE), right.pieces(key, PIECE), strict=True)
    with ThreadPoolExecutor(THREADS) as threads:
        while batch := list(islice(pairs, THREADS)):
            yield from threads.map(lambda pair: _compared(pair[0], pair[1], whole), batch)


def _compared(a: Array, b: Array, whole: bool) -> _Part:
    """(bit for bit equal, largest difference, sum of its squares, sum of the squares of b)."""
    same = a.dtype == b.dtype and np.array_equal(a.view(np.uint8), b.view(np.uint8))
    other = b.astype(np.float64)
    norm = float(np.dot(other, other))
    if same and math.isfinite(norm):
        return True, 0 if whole else 0.0, 0.0, norm
    if whole:
        return same, *_integers(a, b), norm
    wide = a.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        gap = wide - other
        square = float(np.dot(gap, gap))
        if math.isfinite(square):
            return same, float(max(gap.max(initial=0.0), -gap.min(initial=0.0))), square, norm
        gap = np.abs(gap)
        gap[(wide == other) | (np.isnan(wide) & np.isnan(other))] = 0.0
        return same, float(gap.max(initial=0.0)), float(np.dot(gap, gap)), norm


def _integers(a: Array, b: Array) -> tuple[int, float]:
    """(largest difference, sum of the squares) of integers; exact where float64 is not."""
    if dtypes.get(a.dtype) == dtypes.int64 or dtypes.get(b.dtype) == dtypes.int64:
        # the difference of two of 64 bits fits an unsigned one of 64 bits
        first, second = a.astype(np.int64), b.astype(np.int64)
        high, low = np.maximum(first, second), np.minimum(first, second)
        gap = high.view(np.uint64) - low.view(np.uint64)
    else:
        gap = np.abs(a.astype(np.int64) - b.astype(np.int64)).astype(np.uint64)
    wide = gap.astype(np.float64)
    return int(gap.max(initial=0)), float(np.dot(wide, wide))


def _relative(distance: float, norm: float) -> float:
    if distance == 0:
        return 0.0
    if not math.isfinite(norm) or not math.isfinite(distance):
        return math.nan
    return distance / norm if norm else 1.0
