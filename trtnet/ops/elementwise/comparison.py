"""Comparisons, and choices by them."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Dim, Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import common_type, network_of, reached, tensor, warn
from trtnet.ops.elementwise.layers import cast, layer, select, unary
from trtnet.ops.elementwise.logic import logical_not, logical_or
from trtnet.ops.elementwise.unary_functions import reciprocal
from trtnet.support import dtypes
from trtnet.support.arrays import values
from trtnet.support.dtypes import DType


def _comparison(operation: str, x: Operand, y: Operand, name: str) -> Tensor:
    """A number that a 16-bit float cannot represent is rounded first; beside uint8 it is modulo 256, as in torch."""
    dtype = common_type(name, x, y)
    if dtype == dtypes.uint8:
        x, y = _as_byte(x), _as_byte(y)
    if dtype in (dtypes.int8, dtypes.uint8) or (dtype == dtypes.bool_ and operation != "EQUAL"):
        dtype = dtypes.int32
    return layer(operation, reached(x, dtype), reached(y, dtype), name, dtype)


def _as_byte(x: Operand) -> Operand:
    """An operand of a comparison of uint8."""
    if isinstance(x, bool | np.bool_ | Tensor | Parameter | Dim):
        return cast(x, dtypes.uint8)
    return values(x).astype(np.int64) % 256


def eq(x: Operand, y: Operand) -> Tensor:
    """``x == y``, compared in torch's promoted dtype.

    x, y: shapes that broadcast; tensors of any dtype, or numbers. Returns the broadcast shape, bool.
    Layer: IElementWiseLayer EQUAL.
    Raises LayerError for shapes that do not broadcast.
    """
    return _comparison("EQUAL", x, y, "eq")


def ne(x: Operand, y: Operand) -> Tensor:
    """``x != y``, compared in torch's promoted dtype; true for NaN.

    x, y: shapes that broadcast; tensors of any dtype, or numbers. Returns the broadcast shape, bool.
    Layer: none, decomposed into IElementWiseLayer EQUAL and IUnaryLayer NOT.
    Raises LayerError for shapes that do not broadcast.
    """
    return logical_not(eq(x, y))


def lt(x: Operand, y: Operand) -> Tensor:
    """``x < y``, compared in torch's promoted dtype; false for NaN.

    x, y: shapes that broadcast; tensors of any dtype, or numbers. Returns the broadcast shape, bool.
    Layer: IElementWiseLayer LESS.
    Raises LayerError for shapes that do not broadcast.
    """
    return _comparison("LESS", x, y, "lt")


def gt(x: Operand, y: Operand) -> Tensor:
    """``x > y``, compared in torch's promoted dtype; false for NaN.

    x, y: shapes that broadcast; tensors of any dtype, or numbers. Returns the broadcast shape, bool.
    Layer: IElementWiseLayer GREATER.
    Raises LayerError for shapes that do not broadcast.
    """
    return _comparison("GREATER", x, y, "gt")


def le(x: Operand, y: Operand) -> Tensor:
    """``x <= y``, compared in torch's promoted dtype; false for NaN, unlike ``not x > y``.

    x, y: shapes that broadcast; tensors of any dtype, or numbers. Returns the broadcast shape, bool.
    Layer: none, decomposed into IElementWiseLayer LESS, EQUAL and OR.
    Raises LayerError for shapes that do not broadcast.
    """
    return logical_or(lt(x, y), eq(x, y))


def ge(x: Operand, y: Operand) -> Tensor:
    """``x >= y``, compared in torch's promoted dtype; false for NaN, unlike ``not x < y``.

    x, y: shapes that broadcast; tensors of any dtype, or numbers. Returns the broadcast shape, bool.
    Layer: none, decomposed into IElementWiseLayer GREATER, EQUAL and OR.
    Raises LayerError for shapes that do not broadcast.
    """
    return logical_or(gt(x, y), eq(x, y))


def where(condition: Tensor, x: Operand, y: Operand) -> Tensor:
    """`x` where `condition` is true, else `y`.

    condition: bool. x, y: tensors of any dtype, or numbers. The three shapes broadcast. Returns the broadcast shape, in
    torch's promoted dtype of `x` and `y`. A number beyond the range of a 16-bit float becomes an infinity, with a
    warning.
    Layer: ISelectLayer.
    Raises LayerError for shapes that do not broadcast, and for uint8.
    """
    dtype = common_type("where", x, y)
    return select(condition, _reached(x, dtype), _reached(y, dtype), dtype, "where")


def _reached(side: Operand, dtype: DType) -> Operand:
    end = reached(side, dtype)
    if end is not side and end != side:
        warn(f"where: {side} is {end} in {dtype}")
    return end


def masked_fill(x: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`x` with `value` where the mask is true.

    x: any shape and dtype. mask: bool, of a shape that broadcasts with that of `x`. value: a number, or a tensor of one
    element. Returns the broadcast shape, in the dtype of `x`.
    Layer: ISelectLayer.
    Raises LayerError for a value outside the range of the dtype of `x`, and for uint8.
    """
    dtype = tensor(x, network_of(x)).dtype
    return select(mask, value, x, dtype, "masked_fill")


def isnan(x: Operand) -> Tensor:
    """True where an element is NaN.

    x: any shape, floating or integer (never NaN). Returns the shape of `x`, bool.
    Layer: IUnaryLayer ISNAN; IElementWiseLayer for integers.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    given = tensor(x, network_of(x))
    return unary(given, "ISNAN", "isnan") if given.dtype.is_floating else ne(given, given)


def isinf(x: Operand) -> Tensor:
    """True where an element is plus or minus infinity.

    x: any shape, floating or integer (never infinite). Returns the shape of `x`, bool.
    Layer: IUnaryLayer ISINF; IElementWiseLayer for integers.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    given = tensor(x, network_of(x))
    return unary(given, "ISINF", "isinf") if given.dtype.is_floating else ne(given, given)


def isfinite(x: Operand) -> Tensor:
    """True where an element is neither infinite nor NaN.

    x: any shape, floating or integer (always finite). Returns the shape of `x`, bool.
    Layer: none, decomposed into IUnaryLayer ISINF, ISNAN and NOT, and IElementWiseLayer OR.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return logical_not(logical_or(isinf(x), isnan(x)))


def is_negative(x: Tensor) -> Tensor:
    """Whether each element has a minus sign, zeros too: by that of 1 / x. False for NaN."""
    return lt(where(eq(x, 0), reciprocal(x), x), 0)
