"""Powers: of floats by TensorRT's layer, of integers by products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import align, common_type, network_of
from trtnet.ops.arguments.promotion import kind
from trtnet.ops.elementwise.arithmetic import add, arithmetic, as_int8, mul, sub
from trtnet.ops.elementwise.comparison import eq, gt, lt, ne, where
from trtnet.ops.elementwise.layers import cast, layer, no_uint8
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.elementwise.unary_functions import abs, reciprocal, rsqrt, sqrt, square
from trtnet.support import dtypes
from trtnet.support.dtypes import DType

_EXPONENT_BITS = {"bool": 1, "int8": 8, "uint8": 8, "int32": 32}
"""Of the dtypes with fewer than 63: as many as the size of the smallest integer takes."""


def pow(x: Operand, exponent: Operand) -> Tensor:
    """``x ** exponent``, with torch's promotion.

    x, exponent: shapes that broadcast; floating or integer tensors, or numbers. A number that a 16-bit float cannot
    hold is rounded to one first, as in torch. Returns the broadcast shape, in torch's promoted dtype.
    Layer: IElementWiseLayer POW for floats; products, square roots and reciprocals for the exponents 0.5, -0.5, -1, -2,
    2 and 3, and products for integers, which overflow as torch's do.
    Raises LayerError for integers to the power of a negative number, for two bools, and for uint8.
    """
    dtype = common_type("pow", x, exponent)
    if dtype == dtypes.bool_:
        network_of(x).fail("pow of two bools: cast one", {"x": x})
    if isinstance(exponent, int | float | np.number):
        base = cast(x, dtype)
        return _power_of_floats(base, float(exponent)) if dtype.is_floating else _power(base, int(exponent))
    if dtype.is_floating:
        return layer("POW", x, exponent, "pow", dtype)
    no_uint8("pow", dtype, network_of(x, exponent), x=x, exponent=exponent)
    if dtype == dtypes.int8:
        return as_int8(_power_of_integers(x, exponent, dtypes.int32))
    return _power_of_integers(x, exponent, dtype)


def _power_of_floats(x: Tensor, exponent: float) -> Tensor:
    simple: dict[float, Callable[[Tensor], Tensor]] = {0.5: sqrt, 1.0: lambda y: y, 2.0: square, -1.0: reciprocal}
    several: dict[float, Callable[[Tensor], Tensor]] = {
        3.0: lambda y: mul(mul(y, y), y),
        -0.5: rsqrt,
        -2.0: lambda y: reciprocal(mul(y, y)),
    }
    if exponent in simple:
        return simple[exponent](x)
    if exponent in several:  # in float32, to round once
        return cast(several[exponent](cast(x, dtypes.float32)), x.dtype)
    return layer("POW", x, exponent, "pow", x.dtype)


def _power(x: Tensor, exponent: int) -> Tensor:
    """Of integers by squares and products, which are exact."""
    if exponent < 0:
        x.network.fail(f"integers to the power of {exponent}: cast them to float32", {"x": x})
    if exponent == 0:
        return cast(eq(x, x), x.dtype)
    if exponent == 1:
        return x
    even = _power(mul(x, x), exponent // 2)
    return mul(even, x) if exponent % 2 else even


def _power_of_integers(x: Operand, exponent: Operand, dtype: DType) -> Tensor:
    """By the bits of the exponent, each the square of the base before it; exact modulo 2 to the width of `dtype`.

    Of a number that is even, 1 or -1 seven bits do: from 64 on its power is 0 or depends on whether the exponent is
    odd. To a negative power 1 and -1 have a value, every other integer is 0.
    """
    base, given = align("pow", x, exponent, dtype=dtype)
    left, bits = abs(given), _EXPONENT_BITS.get(kind(exponent).dtype.name, dtype.bits - 1)
    if isinstance(x, int) and (x % 2 == 0 or x in (1, -1)) and bits > 7:
        odd = sub(left, mul(arithmetic("FLOOR_DIV", left, 2, "pow"), 2))
        left, bits = where(gt(left, 63), add(odd, 64), left), 7
    result, square_of = cast(eq(base, base), dtype), base
    for bit in range(bits):
        half = arithmetic("FLOOR_DIV", left, 2, "pow")
        result = where(gt(left, mul(half, 2)), mul(result, square_of), result)
        square_of, left = square_of if bit == bits - 1 else mul(square_of, square_of), half
    return where(logical_and(lt(given, 0), ne(abs(base), 1)), 0, result)


def ldexp(x: Tensor, other: Tensor) -> Tensor:
    """``x * 2 ** other``.

    x: floating. other: integer or floating, of a shape that broadcasts with that of `x`. Returns the broadcast shape,
    in torch's promoted dtype; float32 for integers.
    Layer: none, decomposed into IElementWiseLayer POW and PROD.
    Raises LayerError for shapes that do not broadcast.
    """
    kind = common_type("ldexp", x, other)
    return cast(mul(x, pow(2.0, other)), kind if kind.is_floating else dtypes.float32)
