"""Arithmetic, comparison, logic and casts, element by element, with torch's promotion and broadcasting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtnet.graph import Dim, Network, Parameter, Tensor
from trtnet.graph.tensors.tensor import Operand
from trtnet.ops.arguments.operands import align, broadcast, common_type, ndim_of, network_of, reached, tensor, warn
from trtnet.ops.arguments.promotion import computed_in
from trtnet.support import dtypes
from trtnet.support.arrays import values
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import DTypeError

_OF_BOOLS = {"SUM": "OR", "MAX": "OR", "PROD": "AND", "MIN": "AND"}
"""What torch's arithmetic is for two bools."""


def cast(x: Operand, dtype: DTypeLike) -> Tensor:
    """`x` in another dtype; `x` itself if it has it. Layer: ICastLayer. Raises LayerError for an unknown dtype."""
    network = network_of(x)
    try:
        wanted = dtypes.get(dtype)
    except DTypeError as error:
        network.fail(f"cast: {error}", {"x": x})
    return tensor(x, network, wanted)


def layer(operation: str, x: Operand, y: Operand, name: str, dtype: DType) -> Tensor:
    """One IElementWiseLayer of operands of a dtype."""
    a, b = align(name, x, y, dtype=dtype)
    arguments = {"input1": a, "input2": b, "op": getattr(trt.ElementWiseOperation, operation)}
    hint = f"{name} got shapes that do not broadcast, or dtypes it does not take"
    (result,) = a.network.add("elementwise", arguments, name=name, hint=hint, dims=[broadcast(a, b)])
    return result


def arithmetic(operation: str, x: Operand, y: Operand, name: str, dtype: DType | None = None) -> Tensor:
    """One layer in torch's result type, or in `dtype`; of 16-bit floats in float32 where the result would differ.

    int8, which few TensorRTs compute with, is computed as int32 and taken modulo 256.
    Raises LayerError for bools that torch refuses, and for uint8.
    """
    wanted = dtype or common_type(name, x, y)
    if wanted == dtypes.bool_:
        if operation not in _OF_BOOLS:
            network_of(x, y).fail(f"{name} of two bools: cast one, or use ops.logical_xor", {"x": x, "y": y})
        return layer(_OF_BOOLS[operation], x, y, name, wanted)
    if wanted in (dtypes.int8, dtypes.uint8):
        no_uint8(name, wanted, network_of(x, y), x=x, y=y)
        return as_int8(layer(operation, x, y, name, dtypes.int32))
    return cast(layer(operation, x, y, name, computed_in(wanted, x, y)), wanted)


def no_uint8(name: str, dtype: DType, network: Network, **operands: Operand) -> None:
    """Raises LayerError for a result of uint8."""
    if dtype == dtypes.uint8:
        text = "TensorRT has uint8 for inputs and outputs alone: compute with x.int(), which is int32"
        network.fail(f"{name} of uint8: {text}", operands)


def as_int8(x: Tensor) -> Tensor:
    """int32 as int8, of values beyond it what is left modulo 256."""
    y = add(x, 128)
    rest = sub(y, mul(arithmetic("FLOOR_DIV", y, 256, "modulo"), 256))
    return cast(sub(rest, 128), dtypes.int8)


def add(x: Operand, y: Operand, alpha: float = 1) -> Tensor:
    """``x + alpha * y``; of bools, whether either is true. Layer: IElementWiseLayer SUM.

    `alpha` decides nothing of the dtype. Raises LayerError for integers with an alpha that is a float, as torch does.
    """
    return _sum("SUM", x, y, alpha, "add")


def sub(x: Operand, y: Operand, alpha: float = 1) -> Tensor:
    """``x - alpha * y``. Layer: IElementWiseLayer SUB. Raises LayerError for a tensor of bools, as torch does."""
    for operand in (x, y):
        if common_type("sub", operand) == dtypes.bool_ and not isinstance(operand, bool | np.bool_):
            text = "sub of bools: ~x is not x, ops.logical_xor(x, y) where they differ; or cast one"
            network_of(x, y).fail(text, {"x": x, "y": y})
    return _sum("SUB", x, y, alpha, "sub")


def _sum(operation: str, x: Operand, y: Operand, alpha: float, name: str) -> Tensor:
    result = arithmetic(operation, x, y, name) if alpha == 1 else _scaled_sum(operation, x, y, alpha, name)
    for number in (x, y):
        _warn_of_nothing(number, result.dtype, name)
    return result


def _scaled_sum(operation: str, x: Operand, y: Operand, alpha: float, name: str) -> Tensor:
    """In the result type of `x` and `y`, of 16-bit floats rounded once."""
    dtype, network = common_type(name, x, y), network_of(x, y)
    if not dtype.is_floating and isinstance(alpha, float):
        network.fail(f"{name} of {dtype} takes an alpha that is an integer, found {alpha}", {"x": x, "y": y})
    a, b = (tensor(operand, network, dtype) for operand in (x, y))
    if dtype == dtypes.bool_:
        return arithmetic(operation, a, b, name) if alpha else a
    wide = dtypes.float32 if dtype.is_floating else dtype
    return cast(arithmetic(operation, cast(a, wide), mul(cast(b, wide), alpha), name), dtype)


def _warn_of_nothing(number: Operand, dtype: DType, name: str) -> None:
    """A number that is added to keep from 0 does not, where it is too small for the dtype of the sum."""
    if isinstance(number, float) and number and dtype.is_floating and dtype.numpy.type(number) == 0:
        warn(f"{name}: {number:g} is 0 in {dtype}, so that 0 stays 0")


def mul(x: Operand, y: Operand) -> Tensor:
    """``x * y``; of bools, whether both are true. Layer: IElementWiseLayer PROD."""
    return arithmetic("PROD", x, y, "mul")


def maximum(x: Operand, y: Operand) -> Tensor:
    """The larger of each pair. Layer: IElementWiseLayer MAX."""
    return _extreme("MAX", x, y, "maximum")


def minimum(x: Operand, y: Operand) -> Tensor:
    """The smaller of each pair. Layer: IElementWiseLayer MIN."""
    return _extreme("MIN", x, y, "minimum")


def _extreme(operation: str, x: Operand, y: Operand, name: str) -> Tensor:
    """Of 16-bit floats in their own dtype: the larger of two values is the same after rounding as before."""
    dtype = common_type(name, x, y)
    if dtype.is_floating:
        return layer(operation, x, y, name, dtype)
    return arithmetic(operation, x, y, name, dtype)


def _comparison(operation: str, x: Operand, y: Operand, name: str) -> Tensor:
    """A number that a 16-bit float has not is rounded first, beside uint8 it is modulo 256, as torch does."""
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
    """``x == y``, bool. Layer: IElementWiseLayer EQUAL."""
    return _comparison("EQUAL", x, y, "eq")


def ne(x: Operand, y: Operand) -> Tensor:
    """``x != y``, bool."""
    return logical_not(eq(x, y))


def lt(x: Operand, y: Operand) -> Tensor:
    """``x < y``, bool. Layer: IElementWiseLayer LESS."""
    return _comparison("LESS", x, y, "lt")


def gt(x: Operand, y: Operand) -> Tensor:
    """``x > y``, bool. Layer: IElementWiseLayer GREATER."""
    return _comparison("GREATER", x, y, "gt")


def le(x: Operand, y: Operand) -> Tensor:
    """``x <= y``, bool; false where either is NaN, which ``not x > y`` would not be."""
    return logical_or(lt(x, y), eq(x, y))


def ge(x: Operand, y: Operand) -> Tensor:
    """``x >= y``, bool; false where either is NaN."""
    return logical_or(gt(x, y), eq(x, y))


def logical_and(x: Operand, y: Operand) -> Tensor:
    """True where both are. Layer: IElementWiseLayer AND."""
    return layer("AND", x, y, "logical_and", dtypes.bool_)


def logical_or(x: Operand, y: Operand) -> Tensor:
    """True where either is. Layer: IElementWiseLayer OR."""
    return layer("OR", x, y, "logical_or", dtypes.bool_)


def logical_xor(x: Operand, y: Operand) -> Tensor:
    """True where exactly one is. Layer: IElementWiseLayer XOR."""
    return layer("XOR", x, y, "logical_xor", dtypes.bool_)


def bitwise_and(x: Operand, y: Operand) -> Tensor:
    """``x & y`` of bools. Raises LayerError for integers, of whose bits TensorRT has no layer; so do the others."""
    return logical_and(*_bools("&", x, y))


def bitwise_or(x: Operand, y: Operand) -> Tensor:
    """``x | y`` of bools."""
    return logical_or(*_bools("|", x, y))


def bitwise_xor(x: Operand, y: Operand) -> Tensor:
    """``x ^ y`` of bools."""
    return logical_xor(*_bools("^", x, y))


def bitwise_not(x: Operand) -> Tensor:
    """``~x`` of bools."""
    return logical_not(*_bools("~", x))


def _bools(operator: str, *operands: Operand) -> tuple[Tensor, ...]:
    found = align(operator, *operands)
    if any(x.dtype != dtypes.bool_ for x in found):
        named = dict(zip(("x", "y"), operands, strict=False))
        found[0].network.fail(
            f"{operator} takes bools: TensorRT computes no bits of integers; ops.logical_and and the others take them"
            f" as true or false",
            named,
        )
    return found


def where(condition: Tensor, x: Operand, y: Operand) -> Tensor:
    """`x` where `condition` (bool) is true, else `y`; the three broadcast. Layer: ISelectLayer.

    A number that a 16-bit float does not reach is an infinity there, as in torch, and a warning says so.
    """
    dtype = common_type("where", x, y)
    return select(condition, _reached(x, dtype), _reached(y, dtype), dtype, "where")


def _reached(side: Operand, dtype: DType) -> Operand:
    end = reached(side, dtype)
    if end is not side and end != side:
        warn(f"where: {side} is {end} in {dtype}")
    return end


def select(condition: Operand, x: Operand, y: Operand, dtype: DType, name: str) -> Tensor:
    """One layer of a dtype. Raises LayerError for uint8."""
    network = network_of(condition, x, y)
    no_uint8(name, dtype, network, x=x, y=y)
    ndim = max(ndim_of(operand) for operand in (condition, x, y))
    chosen = tensor(condition, network, dtypes.bool_, ndim)
    a, b = (tensor(side, network, dtype, ndim) for side in (x, y))
    arguments = {"condition": chosen, "then_input": a, "else_input": b}
    hint = f"{name} got shapes that do not broadcast"
    (result,) = network.add("select", arguments, name=name, hint=hint, dims=[broadcast(chosen, a, b)])
    return result


def masked_fill(x: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`x` with `value` where the mask (bool) is true, in the dtype of `x`. Raises LayerError for a value it has not."""
    dtype = tensor(x, network_of(x)).dtype
    return select(mask, value, x, dtype, "masked_fill")


def unary(x: Operand, operation: str, name: str) -> Tensor:
    """One IUnaryLayer."""
    x = tensor(x, network_of(x))
    arguments = {"input": x, "op": getattr(trt.UnaryOperation, operation)}
    (result,) = x.network.add("unary", arguments, name=name, hint=f"{name} does not take {x.dtype}", dims=[x.shape])
    return result


def floating(x: Operand) -> Tensor:
    """`x` if it is of floats; integers and bools in float32, torch's default dtype."""
    given = tensor(x, network_of(x))
    return given if given.dtype.is_floating else cast(given, dtypes.float32)


def _function(operation: str) -> Callable[[Operand], Tensor]:
    name = operation.lower().replace("recip", "reciprocal")

    def function(x: Operand) -> Tensor:
        return unary(floating(x), operation, name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name} of each element; of integers in float32. Layer: IUnaryLayer {operation}."
    return function


exp, log, sqrt, reciprocal, erf = (_function(op) for op in ("EXP", "LOG", "SQRT", "RECIP", "ERF"))
sin, cos, tan, asin, acos, atan = (_function(op) for op in ("SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN"))
sinh, cosh, asinh, acosh, atanh = (_function(op) for op in ("SINH", "COSH", "ASINH", "ACOSH", "ATANH"))


def _of_numbers(operation: str) -> Callable[[Operand], Tensor]:
    name = operation.lower()

    def function(x: Operand) -> Tensor:
        given = tensor(x, network_of(x))
        no_uint8(name, given.dtype, given.network, x=given)
        if given.dtype == dtypes.int8:
            return as_int8(unary(cast(given, dtypes.int32), operation, name))
        return unary(given, operation, name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name} of each element. Layer: IUnaryLayer {operation}. Raises LayerError for bools."
    return function


abs, neg, _sign = _of_numbers("ABS"), _of_numbers("NEG"), _of_numbers("SIGN")


def sign(x: Operand) -> Tensor:
    """-1, 0 or 1 by the sign of each element; bools as they are. Layer: IUnaryLayer SIGN."""
    given = tensor(x, network_of(x))
    return given if given.dtype == dtypes.bool_ else _sign(given)


def _to_integers(operation: str) -> Callable[[Operand], Tensor]:
    name = operation.lower()

    def function(x: Operand) -> Tensor:
        given = tensor(x, network_of(x))
        if given.dtype == dtypes.bool_:
            given.network.fail(f"{name} does not take bool", {"x": given})
        return unary(given, operation, name) if given.dtype.is_floating else given

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name} of each element; integers as they are. Layer: IUnaryLayer {operation}."
    return function


floor, ceil, _round = _to_integers("FLOOR"), _to_integers("CEIL"), _to_integers("ROUND")


def round(x: Operand, decimals: int = 0) -> Tensor:
    """The nearest integers, halves to even; or multiples of ``10 ** -decimals``. Layer: IUnaryLayer ROUND."""
    given = tensor(x, network_of(x))
    if decimals == 0 or not given.dtype.is_floating:
        return _round(given)
    scale, wide = float(10 ** np.abs(decimals)), cast(given, dtypes.float32)
    if decimals > 0:
        return cast(arithmetic("DIV", _round(mul(wide, scale)), scale, "round"), given.dtype)
    return cast(mul(_round(arithmetic("DIV", wide, scale, "round")), scale), given.dtype)


def trunc(x: Operand) -> Tensor:
    """`x` rounded toward 0; integers as they are."""
    given = tensor(x, network_of(x))
    return where(lt(given, 0), ceil(given), floor(given)) if given.dtype.is_floating else floor(given)


def isnan(x: Operand) -> Tensor:
    """Whether each element is NaN, which no integer is. Layer: IUnaryLayer ISNAN."""
    given = tensor(x, network_of(x))
    return unary(given, "ISNAN", "isnan") if given.dtype.is_floating else ne(given, given)


def isinf(x: Operand) -> Tensor:
    """Whether each element is infinite, which no integer is. Layer: IUnaryLayer ISINF."""
    given = tensor(x, network_of(x))
    return unary(given, "ISINF", "isinf") if given.dtype.is_floating else ne(given, given)


def isfinite(x: Operand) -> Tensor:
    """Whether each element is neither infinite nor NaN."""
    return logical_not(logical_or(isinf(x), isnan(x)))


def logical_not(x: Operand) -> Tensor:
    """True where `x` is false or 0. Layer: IUnaryLayer NOT."""
    return unary(cast(x, dtypes.bool_), "NOT", "not")


def is_negative(x: Tensor) -> Tensor:
    """Whether each element has a minus sign, zeros too: by that of 1 / x. False for NaN."""
    return lt(where(eq(x, 0), reciprocal(x), x), 0)


def rsqrt(x: Operand) -> Tensor:
    """``1 / sqrt(x)``."""
    return reciprocal(sqrt(x))


def square(x: Operand) -> Tensor:
    """``x * x``; of bools int64."""
    given = tensor(x, network_of(x))
    wide = cast(given, dtypes.int64) if given.dtype == dtypes.bool_ else given
    return mul(wide, wide)
