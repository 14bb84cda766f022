"""The one place where a weight changes its dtype."""

from __future__ import annotations

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.support import dtypes
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import WeightsError


def cast(array: Array, dtype: DTypeLike, key: str) -> Array:
    """`array` in `dtype`, converted directly; the array itself where that is its dtype already.

    key: the checkpoint key, for messages. Floating types become floating types of 8 bits or more, integers
    wider integers; NaN and Inf pass through.
    Raises WeightsError for another pair of types, or if a finite value does not stay finite.
    """
    target = dtypes.get(dtype)
    if array.dtype == target.numpy:
        return array
    source = _source(array, key)
    if not source.is_floating or not target.is_floating:
        return _widen(array, source, target, key)
    if target.bits < 8:
        raise WeightsError(f"{key}: {target} saturates on overflow; quantize the weight with a scale")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(target.numpy)
    if target.max >= source.max and target != dtypes.float8_e8m0fnu:
        return converted
    overflowed = ~np.isfinite(converted)
    if overflowed.any():
        overflowed &= np.isfinite(array)
        _require_none(overflowed, array, target, key)
    return converted


def _source(array: Array, key: str) -> DType:
    try:
        return dtypes.get(array.dtype)
    except TypeError as error:
        raise WeightsError(f"{key} has the dtype {array.dtype}, which cannot be cast: {error}") from error


def _widen(array: Array, source: DType, target: DType, key: str) -> Array:
    # numpy counts bool among the integers that widen, and integers among those that fit a float.
    kinds_differ = source.is_floating or target.is_floating or dtypes.bool_ in (source, target)
    if source != target and (kinds_differ or not np.can_cast(source.numpy, target.numpy, "safe")):
        raise WeightsError(
            f"{key} is {source} and cannot be cast to {target}: floating types are cast to floating types,"
            f" integers to wider integers."
            f" Declare the parameter as {source}, or change the checkpoint."
        )
    return array.astype(target.numpy)


def _require_none(overflowed: Array, array: Array, target: DType, key: str) -> None:
    count = int(overflowed.sum())
    if count == 0:
        return
    if target == dtypes.float8_e8m0fnu:
        raise WeightsError(
            f"{key}: {count:,} of {array.size:,} values do not fit {target}, the first {float(array[overflowed][0]):g}:"
            f" it only has positive powers of two. It is for scales"
        )
    largest = float(np.abs(array[overflowed].astype(np.float64)).max())
    wider = [name for name in ("bfloat16", "float32") if name != target.name and largest <= dtypes.get(name).max]
    advice = f"Keep this weight in {' or '.join(wider)}." if wider else "Rescale this weight."
    raise WeightsError(
        f"{key}: {count:,} of {array.size:,} values do not fit {target}: the largest magnitude is"
        f" {largest:g}, that of {target} is {target.max:g}. {advice}"
    )
