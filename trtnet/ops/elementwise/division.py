"""Division and its remainders, with torch's signs and rounding."""

from __future__ import annotations

import math

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import common_type, network_of, tensor
from trtnet.ops.arguments.promotion import NUMBER, kind
from trtnet.ops.elementwise.arithmetic import arithmetic, mul, sub
from trtnet.ops.elementwise.comparison import eq, lt, ne, where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and, logical_xor
from trtnet.ops.elementwise.rounding import floor, round, trunc
from trtnet.ops.elementwise.unary_functions import abs, neg, reciprocal
from trtnet.support import dtypes
from trtnet.support.dtypes import DType


def div(x: Operand, y: Operand, rounding_mode: str | None = None) -> Tensor:
    """``x / y``, true division; or rounded.

    x, y: shapes that broadcast; floating, integer or bool tensors, or numbers. rounding_mode: None, "floor" (down) or
    "trunc" (toward 0). Returns the broadcast shape, in torch's promoted dtype; float32 for two integers, unless the
    quotient is rounded.
    Layer: IElementWiseLayer DIV; FLOOR_DIV for integers rounded down.
    Raises LayerError for another rounding_mode, and for shapes that do not broadcast.
    """
    if rounding_mode not in (None, "floor", "trunc"):
        text = f"div: rounding_mode is None, 'floor' or 'trunc', found {rounding_mode!r}"
        network_of(x, y).fail(text, {"x": x, "y": y})
    if rounding_mode:
        return (floor_divide if rounding_mode == "floor" else _trunc_divide)(x, y)
    dtype = common_type("div", x, y)
    if not dtype.is_floating:
        return arithmetic("DIV", cast(x, dtypes.float32), cast(y, dtypes.float32), "div")
    if dtype.bits == 16 and kind(x).rank == NUMBER:  # so torch divides a number
        return _times(reciprocal(cast(y, dtype)), x)
    return arithmetic("DIV", x, y, "div", dtype)


def _times(x: Tensor, number: Operand) -> Tensor:
    return x if isinstance(number, int | float) and number == 1 else mul(x, number)


def floor_divide(x: Operand, y: Operand) -> Tensor:
    """``x // y``, rounded down.

    x, y: shapes that broadcast; floating or integer tensors, or numbers. Floats are computed as in Python and torch,
    from the remainder: ``1.0 // 0.1`` is 9, since 0.1 is a little more than a tenth. Exact for quotients below 2^24;
    NaN for an infinite `x`. Returns the broadcast shape, in torch's promoted dtype.
    Layer: IElementWiseLayer FLOOR_DIV for integers; for floats, decomposed into elementwise layers in float32.
    Raises LayerError for two bools, and for shapes that do not broadcast.
    """
    dtype = _dtype("floor_divide", x, y)
    if not dtype.is_floating:
        return arithmetic("FLOOR_DIV", x, y, "floor_divide")
    a, divisor = cast(x, dtypes.float32), _wide(y)
    b = cast(divisor, dtypes.float32)
    rest = _rest(a, divisor, 0.0)  # a quotient of more bits than a float has is the same by a rougher rest
    exact = arithmetic("DIV", sub(a, rest), b, "floor_divide")
    down = floor(exact)
    whole = where(lt(0.5, sub(exact, down)), arithmetic("SUM", down, 1.0, "floor_divide"), down)
    below = cast(_other_sign(rest, b), dtypes.float32)
    return cast(where(eq(b, 0.0), arithmetic("DIV", a, b, "floor_divide"), sub(whole, below)), dtype)


def remainder(x: Operand, y: Operand) -> Tensor:
    """``x % y`` with the sign of `y`; for floats, fmod plus `y` where the signs differ, and exact where fmod is.

    x, y: shapes that broadcast; floating or integer tensors, or numbers. Returns the broadcast shape, in torch's
    promoted dtype.
    Layer: none, decomposed into IElementWiseLayer FLOOR_DIV, PROD and SUB for integers, elementwise layers in float32
    for floats.
    Raises LayerError for two bools, and for shapes that do not broadcast.
    """
    dtype = _dtype("remainder", x, y)
    if not dtype.is_floating:
        return sub(x, mul(floor_divide(x, y), y))
    divisor = _narrow(y, dtype)
    rest, b = _rest(cast(x, dtypes.float32), divisor, _quotient(x, divisor, dtype)), cast(divisor, dtypes.float32)
    return cast(where(_other_sign(rest, b), arithmetic("SUM", rest, b, "remainder"), rest), dtype)


def fmod(x: Operand, y: Operand) -> Tensor:
    """The remainder of ``x / y`` with the sign of `x`; exact, except for divisors of a tensor below 2^-103.

    x, y: shapes that broadcast; floating or integer tensors, or numbers. Returns the broadcast shape, in torch's
    promoted dtype.
    Layer: none, decomposed into IElementWiseLayer DIV, PROD and SUB; in float32 for floats.
    Raises LayerError for two bools, and for shapes that do not broadcast.
    Source: Dekker, 1971, "A floating-point technique for extending the available precision" (exact products).
    """
    dtype = _dtype("fmod", x, y)
    if not dtype.is_floating:
        return sub(x, mul(_trunc_divide(x, y), y))
    divisor = _narrow(y, dtype)
    return cast(_rest(cast(x, dtypes.float32), divisor, _quotient(x, divisor, dtype)), dtype)


def _dtype(operation: str, x: Operand, y: Operand) -> DType:
    dtype = common_type(operation, x, y)
    if dtype == dtypes.bool_:
        network_of(x, y).fail(f"{operation} does not take bools: cast one of them", {"x": x, "y": y})
    return dtype


def _trunc_divide(x: Operand, y: Operand) -> Tensor:
    """The quotient rounded toward 0, as TensorRT's of integers is."""
    dtype = _dtype("div", x, y)
    return trunc(div(x, y)) if dtype.is_floating else arithmetic("DIV", x, y, "trunc_divide")


def _wide(y: Operand) -> Operand:
    """A divisor as float32; a Python number stays one, of float32's value."""
    return float(np.float32(y)) if isinstance(y, int | float) else cast(y, dtypes.float32)


def _narrow(y: Operand, dtype: DType) -> Operand:
    """A divisor as a 16-bit float, as which torch's fmod and remainder take it; a Python number stays one."""
    return float(dtype.numpy.type(y)) if isinstance(y, int | float) else cast(cast(y, dtype), dtypes.float32)


def _other_sign(rest: Tensor, y: Tensor) -> Tensor:
    return logical_and(ne(rest, 0.0), logical_xor(lt(rest, 0.0), lt(y, 0.0)))


def _rest(x: Tensor, y: Operand, quotient: float) -> Tensor:
    """fmod of float32, computed of the sizes, with the sign of `x`.

    First what is left of divisions by ..., ``2^46 y`` and ``2^23 y``, as many as the largest quotient needs; it may be
    negative, of at most half a divisor, and is exact. The integer part of a quotient that was rounded may be one off:
    then what is left at last is negative, or not less than `y`, and is put right by one `y`.
    """
    size: Operand = math.fabs(y) if isinstance(y, float) else abs(y)
    total, divisor = abs(x), tensor(size, x.network, dtypes.float32)
    exact = _is_power_of_2(size)
    for bits in () if exact else _steps(quotient):
        total = _coarse_rest(total, size, bits)
    whole = floor(arithmetic("DIV", total, divisor, "fmod"))
    left = _less_multiples(total, [whole] if exact else _halves(whole), size)
    left = where(eq(whole, 0.0), total, left)  # 0 of an infinite y are no number
    if not exact:
        less = where(lt(left, divisor), left, sub(left, divisor))
        left = where(lt(left, 0.0), arithmetic("SUM", left, divisor, "fmod"), less)
    return where(lt(x, 0.0), neg(left), left)


def _steps(quotient: float) -> range:
    """The bits of the quotients of the coarse divisions: each leaves a quotient of 23 bits to the next."""
    bits = math.frexp(quotient)[1] if math.isfinite(quotient) else 0
    return range((bits - 2) // 23 * 23, 0, -23)


def _coarse_rest(total: Tensor, size: Operand, bits: int) -> Tensor:
    """A value less some multiple of ``2^bits size``, of at most half of that; itself where it is less already."""
    half = bits // 2  # 2^bits itself may be no float32
    large: Operand = size * 2.0**bits if isinstance(size, float) else mul(mul(size, 2.0**half), 2.0 ** (bits - half))
    whole = round(arithmetic("DIV", total, large, "fmod"))
    return where(eq(whole, 0.0), total, _less_multiples(total, _halves(whole), large))


def _less_multiples(total: Tensor, digits: list[Tensor], size: Operand) -> Tensor:
    """A value less a number of `size`, which is exact where what is left is small: the products that are taken from it
    one after another are, of at most 12 bits of the number and 12 of `size` (Dekker, 1971)."""
    left = total
    for number in digits:
        for part in _parts(size):
            left = sub(left, mul(number, part))
    return left


def _quotient(x: Operand, y: Operand, dtype: DType) -> float:
    """The largest that a quotient can be. y: of a dtype, whose least is 2^-24 or 2^-126 if no number is given."""
    least = math.fabs(y) if isinstance(y, float) else 2.0**-24 if dtype == dtypes.float16 else 2.0**-126
    return _largest(x) / least if least else 0.0


def _largest(x: Operand) -> float:
    """The largest value that an operand can have."""
    if isinstance(x, int | float):
        return math.fabs(x)
    dtype = tensor(x, network_of(x)).dtype
    return dtype.max if dtype.is_floating else 2.0**dtype.bits


def _halves(whole: Tensor) -> list[Tensor]:
    """An integer below 2^24 as a multiple of 2^12 and what is left of it."""
    high = mul(floor(mul(whole, 2.0**-12)), 2.0**12)
    return [high, sub(whole, high)]


def _parts(y: Operand) -> list[Operand]:
    """float32 as a sum of values of at most 12 bits."""
    if isinstance(y, float):
        mantissa, exponent = math.frexp(y)
        high = math.ldexp(math.floor(mantissa * 2.0**12), exponent - 12) if math.isfinite(y) else y
        return [high] if high == y or y != y else [high, y - high]
    first = cast(cast(y, dtypes.bfloat16), dtypes.float32)
    rest = sub(y, first)
    second = cast(cast(rest, dtypes.bfloat16), dtypes.float32)
    return [first, second, sub(rest, second)]


def _is_power_of_2(y: Operand) -> bool:
    return isinstance(y, float) and math.isfinite(y) and math.frexp(y)[0] in (0.5, -0.5)
