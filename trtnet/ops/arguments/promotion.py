"""torch's result types: of what dtype the result of tensors and numbers is, and in which it is computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from trtnet.graph import Dim, Parameter, Real, Tensor, current
from trtnet.graph.memory.weight import NetworkFloats
from trtnet.graph.tensors.operand import Operand
from trtnet.support import arrays, dtypes
from trtnet.support.dtypes import DType

NUMBER, SCALAR, TENSOR = 0, 1, 2
"""How much an operand decides: Python numbers and sizes least, tensors without dimensions more, all others most."""

_INTEGER_ORDER = (dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int32, dtypes.int64)
_KEPT_AS = {"float64": dtypes.float32, "int16": dtypes.int32, "uint16": dtypes.int32, "uint32": dtypes.int64}
"""Dtypes of constants that TensorRT lacks: float64 is torch's default dtype, the integers the next wider one."""


class Kind(NamedTuple):
    """What promotion knows of an operand: how much it decides, and its dtype."""

    rank: int
    dtype: DType


def kind(operand: Any) -> Kind:
    """The kind of an operand. Raises TypeError for what is neither a number nor a tensor."""
    if isinstance(operand, Tensor):
        return Kind(_rank(operand.shape), operand.dtype)
    if isinstance(operand, Parameter):
        return Kind(_rank(operand.shape), dtypes.get(operand.dtype) if operand.dtype else current().dtype)
    if isinstance(operand, NetworkFloats):
        return Kind(_rank(operand.shape), current().dtype)
    if isinstance(operand, np.ndarray) or arrays.is_torch(operand):
        return Kind(_rank(operand.shape), kept_as(operand.dtype))
    if isinstance(operand, bool | np.bool_):
        return Kind(NUMBER, dtypes.bool_)
    if isinstance(operand, int | Dim | np.integer):
        return Kind(NUMBER, dtypes.int64)
    if isinstance(operand, float | Real | np.floating):
        return Kind(NUMBER, dtypes.float32)
    raise TypeError(f"found {type(operand).__name__} where a tensor or a number is expected")


def kept_as(dtype: Any) -> DType:
    """The dtype that a constant of a numpy or torch dtype has in a network. Raises DTypeError for complex ones."""
    found = str(dtype).removeprefix("torch.")
    return _KEPT_AS.get(found) or dtypes.get(dtype)


def _rank(shape: Any) -> int:
    return TENSOR if len(shape) else SCALAR


def promote(left: DType, right: DType) -> DType:
    """torch's result type of two tensors: floats over integers, float32 over the 16-bit floats.

    Raises TypeError for a pair torch has no result type for (float8 with anything else), or one that TensorRT lacks
    (int16 of uint8 and int8).
    """
    if left == right:
        return left
    if left.is_floating != right.is_floating:
        return left if left.is_floating else right
    if left.is_floating:
        if left.bits < 16 or right.bits < 16:
            raise TypeError(f"{left} and {right} have no common dtype; cast one of them with .to()")
        return dtypes.float32
    if {left, right} == {dtypes.uint8, dtypes.int8}:
        raise TypeError("the common dtype of uint8 and int8 is int16, which TensorRT does not have; cast one to int32")
    return max(left, right, key=_INTEGER_ORDER.index)


def result_type(*operands: Operand) -> DType:
    """torch.result_type: tensors decide, of a 0-dimensional tensor and of a number only the category is added.

    Categories are bool, integers and floats; the least decisive kind that has a higher one decides the dtype.
    Raises TypeError as `kind` and `promote` do.
    """
    found: list[DType | None] = [None, None, None]
    for operand in operands:
        rank, dtype = kind(operand)
        before = found[rank]
        found[rank] = dtype if before is None else promote(before, dtype)
    result = _combined(found[TENSOR], _combined(found[SCALAR], found[NUMBER]))
    assert result is not None  # there is an operand
    return result


def _combined(higher: DType | None, lower: DType | None) -> DType | None:
    if higher is None or lower is None:
        return higher or lower
    return lower if _category(lower) > _category(higher) else higher


def _category(dtype: DType) -> int:
    return 2 if dtype.is_floating else int(dtype != dtypes.bool_)


def computed_in(dtype: DType, *operands: Operand) -> DType:
    """The dtype that ``+ - * /`` of operands whose result is `dtype` are computed in.

    torch computes the 16-bit floats in float32 and rounds once. The result of two 16-bit values is the same without
    that; it is not where a number, a size or a wider 0-dimensional tensor stands beside them that is none.
    """
    narrow = dtype.is_floating and dtype.bits == 16
    return dtypes.float32 if narrow and any(_is_wider(operand, dtype) for operand in operands) else dtype


def _is_wider(operand: Operand, dtype: DType) -> bool:
    rank, given = kind(operand)
    if rank == TENSOR or given in (dtype, dtypes.bool_):
        return False
    if isinstance(operand, Tensor | Parameter | Dim | Real):
        return True
    value = float(arrays.values(operand))
    with np.errstate(over="ignore"):
        return not (np.isnan(value) or float(dtype.numpy.type(value)) == value)
