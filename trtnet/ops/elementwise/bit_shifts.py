"""Bits of integers moved, by multiplication and division."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import align, common_type
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.division import floor_divide
from trtnet.support import dtypes


def bitwise_left_shift(x: Operand, other: Operand) -> Tensor:
    """``x << other``, computed as ``x * 2 ** other``.

    x: any shape, int32 or int64. other: an int from 0 to the number of bits of the dtype less 2. Returns the shape and
    dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer PROD.
    Raises LayerError for other dtypes, for a tensor as `other`, and for an int out of that range.
    """
    given, factor = _factor("<<", x, other)
    return mul(given, factor)


def bitwise_right_shift(x: Operand, other: Operand) -> Tensor:
    """``x >> other``, computed as ``x // 2 ** other``.

    x: any shape, int32 or int64. other: an int from 0 to the number of bits of the dtype less 2. Returns the shape and
    dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer FLOOR_DIV.
    Raises LayerError for other dtypes, for a tensor as `other`, and for an int out of that range.
    """
    given, factor = _factor(">>", x, other)
    return floor_divide(given, factor)


def _factor(operator: str, x: Operand, other: Operand) -> tuple[Tensor, int]:
    (given,) = align(operator, x, dtype=common_type(operator, x, other))
    named = {"x": given, "other": other}
    if given.dtype not in (dtypes.int32, dtypes.int64):
        given.network.fail(f"{operator} takes int32 and int64, found {given.dtype}", named)
    if not isinstance(other, int) or not 0 <= other < given.dtype.bits - 1:
        given.network.fail(f"{operator} takes an int from 0 to {given.dtype.bits - 2}; of tensors, x * 2 ** n", named)
    return given, 2 ** int(other)
