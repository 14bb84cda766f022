"""Bits of integers, by multiplication and division: TensorRT has no operations on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import align, common_type, tensor
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.comparison import lt, where
from trtnet.ops.elementwise.division import floor_divide
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and, logical_not, logical_or, logical_xor
from trtnet.ops.indexing.gather import take
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.shapes.shape import unsqueeze
from trtnet.support import dtypes


def bitwise_and(x: Operand, y: Operand) -> Tensor:
    """``x & y`` of bools, or of the bits of integers.

    x, y: shapes that broadcast, bool or integer. Returns the broadcast shape, in torch's promoted dtype.
    Layer: IElementWiseLayer AND; for integers FLOOR_DIV, PROD and SUB of all bits, and IReduceLayer SUM, or of a number
    that is 2 ** n - 1 alone.
    Raises LayerError for floats, and for shapes that do not broadcast.
    """
    return _bits("&", logical_and, lambda a, b, both: both, x, y)


def bitwise_or(x: Operand, y: Operand) -> Tensor:
    """``x | y`` of bools, or of the bits of integers.

    x, y: shapes that broadcast, bool or integer. Returns the broadcast shape, in torch's promoted dtype.
    Layer: IElementWiseLayer OR; for integers those of bitwise_and, SUM and SUB.
    Raises LayerError for floats, and for shapes that do not broadcast.
    """
    return _bits("|", logical_or, lambda a, b, both: add(a, sub(b, both)), x, y)


def bitwise_xor(x: Operand, y: Operand) -> Tensor:
    """``x ^ y`` of bools, or of the bits of integers.

    x, y: shapes that broadcast, bool or integer. Returns the broadcast shape, in torch's promoted dtype.
    Layer: IElementWiseLayer XOR; for integers those of bitwise_and, SUM and SUB.
    Raises LayerError for floats, and for shapes that do not broadcast.
    """
    return _bits("^", logical_xor, lambda a, b, both: add(sub(a, both), sub(b, both)), x, y)


def bitwise_not(x: Operand) -> Tensor:
    """``~x`` of bools, or of the bits of integers: ``-1 - x``.

    x: any shape, bool or integer. Returns the shape and dtype of `x`.
    Layer: IUnaryLayer NOT; for integers IElementWiseLayer SUB.
    Raises LayerError for floats.
    """
    (a,) = _operands("~", x)
    if a.dtype == dtypes.uint8:
        return cast(sub(255, cast(a, dtypes.int32)), dtypes.uint8)
    return logical_not(a) if a.dtype == dtypes.bool_ else sub(-1, a)


def _bits(
    operator: str, of_bools: Callable[..., Tensor], function: Callable[..., Tensor], x: Operand, y: Operand
) -> Tensor:
    """A function of integers of at least 32 bits, another of bools. x, y: the operands as they were given."""
    a, b = _operands(operator, x, y)
    if a.dtype == dtypes.bool_:
        return of_bools(a, b)
    if a.dtype != dtypes.uint8:
        return function(a, b, _common(a, b, x, y))
    wide = [cast(each, dtypes.int32) for each in (a, b)]
    return cast(function(wide[0], wide[1], _common(wide[0], wide[1], x, y)), dtypes.uint8)


def _operands(operator: str, *operands: Operand) -> tuple[Tensor, ...]:
    found = align(operator, *operands)
    if found[0].dtype.is_floating:
        named = dict(zip(("x", "y"), operands, strict=False))
        found[0].network.fail(f"{operator} takes bools and integers", named)
    return found


def bitwise_left_shift(x: Operand, other: Operand) -> Tensor:
    """``x << other``, computed as ``x * 2 ** other``.

    x: any shape, int32 or int64. other: from 0 to the number of bits of the dtype less 2: an int, or integers of a
    shape that broadcasts, which are not checked. Returns the broadcast shape, in torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer PROD; of a tensor also IGatherLayer.
    Raises LayerError for other dtypes, and for an int out of that range.
    """
    given, factor = _factor("<<", x, other)
    return mul(given, factor)


def bitwise_right_shift(x: Operand, other: Operand) -> Tensor:
    """``x >> other``, computed as ``x // 2 ** other``.

    x: any shape, int32 or int64. other: from 0 to the number of bits of the dtype less 2: an int, or integers of a
    shape that broadcasts, which are not checked. Returns the broadcast shape, in torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer FLOOR_DIV; of a tensor also IGatherLayer.
    Raises LayerError for other dtypes, and for an int out of that range.
    """
    given, factor = _factor(">>", x, other)
    return floor_divide(given, factor)


def _factor(operator: str, x: Operand, other: Operand) -> tuple[Tensor, Tensor | int]:
    dtype = common_type(operator, x, other)
    found = (
        align(operator, x, other, dtype=dtype)[0] if not isinstance(other, int) else align(operator, x, dtype=dtype)[0]
    )
    named = {"x": found, "other": other}
    if dtype not in (dtypes.int32, dtypes.int64):
        found.network.fail(f"{operator} takes int32 and int64, found {dtype}", named)
    if not isinstance(other, int):
        powers = tensor(_powers(dtype.bits - 1, dtype.numpy), found.network)
        return found, take(powers, cast(tensor(other, found.network), dtypes.int64), 0)
    if not 0 <= other < dtype.bits - 1:
        found.network.fail(f"{operator} takes an int from 0 to {dtype.bits - 2}", named)
    return found, 2 ** int(other)


def _powers(count: int, dtype: np.dtype[np.generic]) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return (np.int64(1) << np.arange(count)).astype(dtype)


def _common(a: Tensor, b: Tensor, x: Operand, y: Operand) -> Tensor:
    """``a & b`` of integers of one dtype, made of the operands `x` and `y`."""
    other, number = (a, y) if isinstance(y, int) else (b, x)
    if not isinstance(number, int) or number < 0:
        return _by_bits(a, b, a.dtype.bits)
    if number & (number + 1) == 0 and number + 1 < 1 << (a.dtype.bits - 1):
        return _remainder(other, number + 1)
    return _by_bits(a, b, number.bit_length() + 1)


def _remainder(x: Tensor, divisor: int) -> Tensor:
    return sub(x, mul(floor_divide(x, divisor), divisor))


def _by_bits(x: Tensor, y: Tensor, bits: int) -> Tensor:
    """The bits that both have; of the first `bits` the last is the sign."""
    wide = [unsqueeze(cast(each, dtypes.int64), -1) for each in (x, y)]
    powers = tensor(_powers(bits - 1, np.dtype(np.int64)), x.network)
    ones = [_remainder(floor_divide(each, powers), 2) for each in wide]
    found = sum(mul(mul(*ones), powers), -1)
    lowest = tensor(np.array(-(1 << (bits - 1)), np.int64), x.network)
    below = mul(*(cast(lt(cast(each, dtypes.int64), 0), dtypes.int64) for each in (x, y)))
    return cast(where(lt(0, below), add(found, lowest), found), x.dtype)
