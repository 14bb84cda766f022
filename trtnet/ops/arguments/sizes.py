"""Sizes and numbers of axes as users write them: ints, numpy's integers, Dims, tensors of one integer, lists."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np

from trtnet.graph import Dim, Shape, Size, Tensor


def is_int(value: Any) -> TypeGuard[int | np.integer[Any]]:
    """Whether a value is an int of Python or numpy, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def size_of(x: Tensor, value: Any, operation: str) -> Size:
    """One size. Raises LayerError for what is none."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, Tensor) and not value.dtype.is_floating:
        return value.item()
    try:
        return operator.index(value)
    except TypeError:
        kind = f"{value}" if isinstance(value, float) else type(value).__name__
        x.network.fail(f"{operation} takes ints and sizes, found {kind}", {"x": x})


def sizes_of(x: Tensor, values: Any, operation: str) -> Shape:
    """Several sizes, one after another or in a list or tuple; a single size is a list of one.

    Raises LayerError for what is none.
    """
    several = isinstance(values, Iterable) and not isinstance(values, Tensor | str)
    return tuple(size_of(x, value, operation) for value in (values if several else [values]))


def ints_of(x: Tensor, values: Any, operation: str) -> tuple[int, ...]:
    """Numbers of axes and the like, which are known now. Raises LayerError for a size known only at run time."""
    found = sizes_of(x, values, operation)
    unknown = next((size for size in found if isinstance(size, Dim)), None)
    if unknown is not None:
        x.network.fail(f"{operation} takes ints here, found {unknown}, known only when the engine runs", {"x": x})
    return tuple(int(size) for size in found if isinstance(size, int))
