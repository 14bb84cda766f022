"""The same values in another order: NHWC for NCHW, heads apart or joined, axes merged, masks of another kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations
from math import prod

import numpy as np

from trtnet.support import dtypes
from trtnet.verify.metrics.array_metrics import Array

MASKED = -1e3  # an additive mask has 0, and less than this where it hides
MAX_RANK = 5


@dataclass(frozen=True)
class Aligned:
    """Expected values in the shape of those found. rule: what was done to them, "" for nothing."""

    values: Array
    rule: str


def align(found: Array, expected: Array) -> Aligned | None:
    """The expected values in the shape of `found`; None if no rule makes the one of the other.

    Rules: an additive or integer mask is read as a bool one where `found` is bool; axes of size 1 come and go;
    values are broadcast, or taken once where they are repeated; axes are permuted, and neighbours among them merged or
    split. Where several orders fit, the one nearest to `found` is taken. Values of the same shape are compared as they
    are.
    """
    if not _alike(found, expected):
        return None
    read, how = _as_mask(expected) if found.dtype == np.bool_ and expected.dtype != np.bool_ else (expected, "")
    if found.shape == read.shape:
        return Aligned(read, how)
    candidates = [Aligned(values, "; ".join(filter(None, (how, rule)))) for values, rule in _orders(read, found.shape)]
    return min(candidates, key=lambda one: distance(found, one.values), default=None)


def distance(found: Array, expected: Array) -> float:
    """|found - expected| / |expected| as vectors, in float64: infinite where a value is not finite, unless both have
    the same infinity there."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    different = a != b
    if not (np.isfinite(a[different]).all() and np.isfinite(b[different]).all()):
        return float("inf")
    if not different.any():
        return 0.0
    wanted = np.where(np.isfinite(b), b, 0)
    unit = float(np.abs(wanted).max()) or 1.0  # squares of huge and of tiny values have no float64
    error = float(np.linalg.norm(a[different] / unit - b[different] / unit))
    whole = float(np.linalg.norm(wanted / unit))
    return error / whole if whole else float("inf")


def _alike(found: Array, expected: Array) -> bool:
    floating = [dtypes.get(x.dtype).is_floating for x in (found, expected)]
    return floating[0] == floating[1] or (found.dtype == np.bool_ and is_additive(expected))


def is_additive(mask: Array) -> bool:
    """Whether all values are 0 or far below."""
    return bool(((mask == 0) | (mask < MASKED)).all())


def _as_mask(expected: Array) -> tuple[Array, str]:
    if dtypes.get(expected.dtype).is_floating:
        return np.asarray(expected == 0), "additive mask"
    return expected.astype(np.bool_), f"{expected.dtype} mask"


def _orders(values: Array, shape: tuple[int, ...]) -> Iterator[tuple[Array, str]]:
    """Every way to bring values into a shape, with its name."""
    came = f"of {list(values.shape)}"
    if values.size == prod(shape):
        squeezed, target = values.squeeze(), tuple(n for n in shape if n != 1)
        for order, rule in _permuted(squeezed, target):
            yield order.reshape(shape), f"{rule} {came}" if rule else f"reshaped {came}"
        return
    with suppress(ValueError):
        yield np.broadcast_to(values, shape), f"broadcast {came}"
    with suppress(ValueError):
        kept = (
            values[tuple(slice(1) if n == 1 else slice(None) for n in shape)] if values.ndim == len(shape) else values
        )
        if kept.shape == shape and np.array_equal(np.broadcast_to(kept, values.shape), values):
            yield kept, f"once of {list(values.shape)}"


def _permuted(values: Array, shape: tuple[int, ...]) -> Iterator[tuple[Array, str]]:
    """Permutations of the finer one's axes with which it falls into the axes of the other. Neither has axes of 1."""
    if max(values.ndim, len(shape)) > MAX_RANK:
        return
    splits = len(shape) > values.ndim
    finer, coarser = (shape, values.shape) if splits else (values.shape, shape)
    for axes in permutations(range(len(finer))):
        turned = tuple(finer[axis] for axis in axes)
        if _merges(turned, coarser):
            rule = "" if list(axes) == sorted(axes) else f"axes {list(axes)}"
            back = np.argsort(axes)
            yield (values.reshape(turned).transpose(back) if splits else values.transpose(axes).reshape(shape)), rule


def _merges(fine: tuple[int, ...], coarse: tuple[int, ...]) -> bool:
    """Whether neighbouring axes of `fine` multiply to the axes of `coarse`."""
    sizes = list(fine)
    for whole in coarse:
        product = 1
        while sizes and product < whole:
            product *= sizes.pop(0)
        if product != whole:
            return False
    return not sizes
