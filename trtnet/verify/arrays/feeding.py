"""Arrays as the thing that takes them wants them: its names, its dtypes; what was done is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.dtypes import DType
from trtnet.support.errors import InputError

Array = NDArray[Any]
Arrays = dict[str, Array]
Notes = tuple[str, ...]


def fed(takes: Sequence[TensorInfo], given: Mapping[str, Array]) -> tuple[Arrays, Notes]:
    """(arrays by the names of `takes` in its dtypes, notes of what was cast, renamed or not taken).

    Inputs are matched by name; if the names are others and the counts agree, by order.
    Raises InputError for an input that nothing was given for, and for values that its dtype does not hold.
    """
    chosen, notes = _matched([info.name for info in takes], given)
    arrays: Arrays = {}
    for info in takes:
        arrays[info.name], note = cast(chosen[info.name], dtypes.get(info.dtype), f"input {info.name}")
        notes += note
    return arrays, notes


def _matched(names: Sequence[str], given: Mapping[str, Array]) -> tuple[Mapping[str, Array], Notes]:
    unknown = [name for name in given if name not in names]
    if all(name in given for name in names):
        return given, (f"it does not take {', '.join(unknown)}",) if unknown else ()
    if len(names) != len(given):
        missing = next(name for name in names if name not in given)
        raise InputError(f"input {missing} is missing; it takes {', '.join(names)}, given are {', '.join(given)}")
    pairs = ", ".join(f"{ours} is its {theirs}" for ours, theirs in zip(given, names, strict=True) if ours != theirs)
    return dict(zip(names, given.values(), strict=True)), (f"inputs by order: {pairs}",)


def cast(array: Array, wanted: DType, what: str) -> tuple[Array, Notes]:
    """An array in a dtype, and a note if that is another than its own, which says whether values were rounded.

    Raises InputError for a cast between integers, floats and bools, and for an integer or a finite value out of the
    dtype's range.
    """
    own = dtypes.get(array.dtype)
    if own == wanted:
        return array, ()
    if own.is_floating != wanted.is_floating or "bool" in (own.name, wanted.name):
        raise InputError(f"{what} is {wanted}; found {own}, which is not cast to it")
    with np.errstate(over="ignore"):
        result = array.astype(wanted.numpy)
    wide = np.float64 if own.is_floating else np.int64
    before, after = array.astype(wide), result.astype(wide)
    same = (before == after) | ((before != before) & (after != after))
    if not own.is_floating and not same.all():
        raise InputError(f"{what} is {wanted}, which does not hold {before[~same][0]}")
    if not np.array_equal(np.isfinite(before), np.isfinite(after)):
        raise InputError(f"{what} is {wanted}, which does not hold {np.abs(before[np.isfinite(before)]).max():g}")
    return result, (f"{what} cast from {own} to {wanted}, {'exactly' if same.all() else 'rounded'}",)
