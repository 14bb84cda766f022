"""What an output is that is not the expected one: another's, or the same values in another order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations

import numpy as np

from trtnet.support import dtypes
from trtnet.verify.metrics.array_metrics import Array
from trtnet.verify.metrics.layouts import MAX_RANK, align, distance

CLOSE = 1e-2
"""Relative L2 of values that are the same but for rounding: this explains a failure, it excuses none."""
LARGEST = 1 << 24
"""Of larger arrays it is not asked."""


def likeness(found: Array, expected: Array, others: Mapping[str, Array]) -> str:
    """In a phrase, what an output is instead of the one expected; "" if that is not known.

    others: the other outputs that were expected, by name.
    """
    if max(found.size, expected.size) > LARGEST or not found.size:
        return ""
    for name, other in others.items():
        if _is_same(found, other):
            return f"its values are those expected of {name}: outputs are exchanged"
    if found.shape != expected.shape:
        aligned = align(found, expected)
        if aligned is not None and _is_same(found, aligned.values):
            return f"its values are those expected in another layout: {aligned.rule}"
        return ""
    if _is_same(found, expected):
        return ""
    return next(_orders(found, expected), "")


def _orders(found: Array, expected: Array) -> Iterator[str]:
    """Permutations of axes of one size, and axes that run backwards."""
    axes = tuple(range(found.ndim))
    for order in permutations(axes) if found.ndim <= MAX_RANK else ():
        turned = expected.transpose(order)
        if order != axes and turned.shape == found.shape and _is_same(found, turned):
            yield f"its values are those expected with axes in the order {list(order)}"
    for axis in axes:
        if found.shape[axis] > 1 and _is_same(found, np.flip(expected, axis)):
            yield f"its values are those expected, backwards along axis {axis}"
        half = found.shape[axis] // 2
        if found.shape[axis] % 2 == 0 and half > 1 and _is_same(found, np.roll(expected, half, axis)):
            yield f"its values are those expected, the halves of axis {axis} exchanged"
    if not dtypes.get(found.dtype).is_floating and not dtypes.get(expected.dtype).is_floating:
        steps = found.astype(np.int64) - expected.astype(np.int64)
        if steps.flat[0] and (steps == steps.flat[0]).all():
            yield f"it is what was expected {steps.flat[0]:+d} everywhere"


def _is_same(found: Array, expected: Array) -> bool:
    if found.shape != expected.shape or dtypes.get(found.dtype).is_floating != dtypes.get(expected.dtype).is_floating:
        return False
    limit = CLOSE if dtypes.get(found.dtype).is_floating else 0.0
    return distance(found, expected) <= limit
