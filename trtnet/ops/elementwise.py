"""Arithmetic, comparison, logic and casts, element by element, with torch's promotion and broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable

from trtnet import dtypes
from trtnet.backend import trt
from trtnet.dtypes import DType, DTypeLike
from trtnet.graph import Tensor
from trtnet.graph.tensor import Operand
from trtnet.ops.operands import align, broadcast, network_of, result_type, tensor


def cast(x: Operand, dtype: DTypeLike) -> Tensor:
    """`x` in another dtype; `x` itself if it has it. Layer: ICastLayer."""
    return tensor(x, network_of(x), dtypes.get(dtype))


def _elementwise(operation: str, x: Operand, y: Operand, name: str, dtype: DType | None = None) -> Tensor:
    a, b = align(name, x, y, dtype=dtype)
    arguments = {"input1": a, "input2": b, "op": getattr(trt.ElementWiseOperation, operation)}
    hint = f"{name} got shapes that do not broadcast, or dtypes it does not take"
    (result,) = a.network.add("elementwise", arguments, name=name, hint=hint, dims=[broadcast(a, b)])
    return result


def add(x: Operand, y: Operand, alpha: float = 1) -> Tensor:
    """``x + alpha * y``. Layer: IElementWiseLayer SUM."""
    return _elementwise("SUM", x, y if alpha == 1 else mul(y, alpha), "add")


def sub(x: Operand, y: Operand, alpha: float = 1) -> Tensor:
    """``x - alpha * y``. Layer: IElementWiseLayer SUB."""
    return _elementwise("SUB", x, y if alpha == 1 else mul(y, alpha), "sub")


def mul(x: Operand, y: Operand) -> Tensor:
    """``x * y``. Layer: IElementWiseLayer PROD."""
    return _elementwise("PROD", x, y, "mul")


def div(x: Operand, y: Operand, rounding_mode: str | None = None) -> Tensor:
    """``x / y``, true division: integers divide as float32. Layer: IElementWiseLayer DIV.

    rounding_mode: "floor" rounds down, "trunc" toward 0; integers then stay integers.
    Raises ValueError for another one.
    """
    if rounding_mode not in (None, "floor", "trunc"):
        raise ValueError(f"rounding_mode is None, 'floor' or 'trunc', found {rounding_mode!r}")
    if rounding_mode:
        return (floor_divide if rounding_mode == "floor" else _trunc_divide)(x, y)
    dtype = result_type(x, y)
    return _elementwise("DIV", x, y, "div", dtype if dtype.is_floating else dtypes.float32)


def floor_divide(x: Operand, y: Operand) -> Tensor:
    """``x // y``, rounded down. Layer: IElementWiseLayer FLOOR_DIV."""
    return _elementwise("FLOOR_DIV", x, y, "floor_divide")


def remainder(x: Operand, y: Operand) -> Tensor:
    """``x % y`` with the sign of `y`: ``x - x // y * y``."""
    return sub(x, mul(floor_divide(x, y), y))


def pow(x: Operand, exponent: Operand) -> Tensor:
    """``x ** exponent``; a square is a product, as in torch. Layer: IElementWiseLayer POW."""
    return mul(x, x) if isinstance(exponent, int | float) and exponent == 2 else _elementwise("POW", x, exponent, "pow")


def maximum(x: Operand, y: Operand) -> Tensor:
    """The larger of each pair. Layer: IElementWiseLayer MAX."""
    return _elementwise("MAX", x, y, "maximum")


def minimum(x: Operand, y: Operand) -> Tensor:
    """The smaller of each pair. Layer: IElementWiseLayer MIN."""
    return _elementwise("MIN", x, y, "minimum")


def eq(x: Operand, y: Operand) -> Tensor:
    """``x == y``, bool. Layer: IElementWiseLayer EQUAL."""
    return _elementwise("EQUAL", x, y, "eq")


def ne(x: Operand, y: Operand) -> Tensor:
    """``x != y``, bool."""
    return logical_not(eq(x, y))


def lt(x: Operand, y: Operand) -> Tensor:
    """``x < y``, bool. Layer: IElementWiseLayer LESS."""
    return _elementwise("LESS", x, y, "lt")


def gt(x: Operand, y: Operand) -> Tensor:
    """``x > y``, bool. Layer: IElementWiseLayer GREATER."""
    return _elementwise("GREATER", x, y, "gt")


def le(x: Operand, y: Operand) -> Tensor:
    """``x <= y``, bool; false where either is NaN, which ``not x > y`` would not be."""
    return logical_or(lt(x, y), eq(x, y))


def ge(x: Operand, y: Operand) -> Tensor:
    """``x >= y``, bool; false where either is NaN."""
    return logical_or(gt(x, y), eq(x, y))


def logical_and(x: Operand, y: Operand) -> Tensor:
    """True where both are. Layer: IElementWiseLayer AND."""
    return _elementwise("AND", x, y, "logical_and", dtypes.bool_)


def logical_or(x: Operand, y: Operand) -> Tensor:
    """True where either is. Layer: IElementWiseLayer OR."""
    return _elementwise("OR", x, y, "logical_or", dtypes.bool_)


def logical_xor(x: Operand, y: Operand) -> Tensor:
    """True where exactly one is. Layer: IElementWiseLayer XOR."""
    return _elementwise("XOR", x, y, "logical_xor", dtypes.bool_)


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
    """`x` where `condition` (bool) is true, else `y`; the three broadcast. Layer: ISelectLayer."""
    dtype = result_type(x, y)
    ndim = max(condition.ndim, *(a.ndim for a in align("where", x, y)))
    a, b = (tensor(side, condition.network, dtype, ndim) for side in (x, y))
    chosen = tensor(condition, condition.network, dtypes.bool_, ndim)
    arguments = {"condition": chosen, "then_input": a, "else_input": b}
    (result,) = chosen.network.add("select", arguments, name="where", dims=[broadcast(chosen, a, b)])
    return result


def _unary(operation: str) -> Callable[[Operand], Tensor]:
    name = operation.lower()

    def function(x: Operand) -> Tensor:
        x = tensor(x, network_of(x))
        arguments = {"input": x, "op": getattr(trt.UnaryOperation, operation)}
        (result,) = x.network.add("unary", arguments, name=name, hint=f"{name} does not take {x.dtype}", dims=[x.shape])
        return result

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name} of each element. Layer: IUnaryLayer {operation}."
    return function


abs, exp, log, sqrt = _unary("ABS"), _unary("EXP"), _unary("LOG"), _unary("SQRT")
neg, reciprocal, erf = _unary("NEG"), _unary("RECIP"), _unary("ERF")
floor, ceil, round, sign = _unary("FLOOR"), _unary("CEIL"), _unary("ROUND"), _unary("SIGN")
sin, cos, tan, asin, acos, atan = (_unary(op) for op in ("SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN"))
sinh, cosh, asinh, acosh, atanh = (_unary(op) for op in ("SINH", "COSH", "ASINH", "ACOSH", "ATANH"))
isinf, isnan, _not = _unary("ISINF"), _unary("ISNAN"), _unary("NOT")


def logical_not(x: Operand) -> Tensor:
    """True where `x` is false or 0. Layer: IUnaryLayer NOT."""
    return _not(cast(x, dtypes.bool_))


def rsqrt(x: Operand) -> Tensor:
    """``1 / sqrt(x)``."""
    return reciprocal(sqrt(x))


def clamp(x: Operand, min: float | None = None, max: float | None = None) -> Tensor:
    """`x` limited to [min, max]; either may be None. Layers: IElementWiseLayer MAX, MIN."""
    low = x if min is None else maximum(x, min)
    return tensor(low, network_of(x)) if max is None else minimum(low, max)


clip = clamp


def isfinite(x: Operand) -> Tensor:
    """Whether each element is neither infinite nor NaN."""
    return logical_not(logical_or(isinf(x), isnan(x)))


def log2(x: Operand) -> Tensor:
    """The logarithm to base 2, computed in float32."""
    return _in_float32(lambda y: mul(log(y), 1 / math.log(2)), x)


def log10(x: Operand) -> Tensor:
    """The logarithm to base 10, computed in float32."""
    return _in_float32(lambda y: mul(log(y), 1 / math.log(10)), x)


def log1p(x: Operand) -> Tensor:
    """log(1 + x), precise near 0 where it is ``2 atanh(x / (2 + x))``; computed in float32."""

    def near_and_far(y: Tensor) -> Tensor:
        near = mul(atanh(div(y, add(y, 2.0))), 2.0)
        return where(lt(abs(y), 0.5), near, log(add(y, 1.0)))

    return _in_float32(near_and_far, x)


def expm1(x: Operand) -> Tensor:
    """exp(x) - 1, precise near 0: ``tanh(x / 2) (exp(x) + 1)``; computed in float32."""
    return _in_float32(lambda y: mul(_tanh(mul(y, 0.5)), add(exp(y), 1.0)), x)


def logaddexp(x: Operand, y: Operand) -> Tensor:
    """``log(exp(x) + exp(y))``, without overflow: the larger and ``log1p`` of the smaller over it, in float32."""

    def larger_and_rest(a: Tensor, b: Tensor) -> Tensor:
        return add(maximum(a, b), where(eq(a, b), math.log(2), log1p(exp(neg(abs(sub(a, b)))))))

    return _in_float32(larger_and_rest, *align("logaddexp", x, y))


def atan2(y: Operand, x: Operand) -> Tensor:
    """The angle of the point (x, y), from -pi to pi, computed in float32; a zero has no sign.

    Two infinities give NaN, where torch gives a diagonal.
    """

    def angle(a: Tensor, b: Tensor) -> Tensor:
        side = where(lt(a, 0), -math.pi, math.pi)
        right = atan(div(a, where(eq(b, 0), 1.0, b)))
        upright = where(eq(a, 0), 0.0, mul(side, 0.5))
        return where(eq(b, 0), upright, where(lt(b, 0), add(right, side), right))

    return _in_float32(angle, *align("atan2", y, x))


def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """`x` with numbers for NaN and the infinities, by default 0 and the largest and the smallest of its dtype."""
    if not x.dtype.is_floating:
        return x
    high, low = (x.dtype.max if posinf is None else posinf), (-x.dtype.max if neginf is None else neginf)
    below = where(isinf(x), low, x)
    return where(isnan(x), nan, where(logical_and(isinf(x), gt(x, 0)), high, below))


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`x`: an engine infers. Write ``training=self.training``, which is False here.

    Raises LayerError for training=True, torch's default, with which torch drops in eval() as well.
    """
    if training and p:
        x.network.fail("dropout: an engine does not train; write training=self.training, which is False", {"x": x})
    return x


def _tanh(x: Tensor) -> Tensor:
    (y,) = x.network.add("activation", {"input": x, "type": trt.ActivationType.TANH}, name="tanh", dims=[x.shape])
    return y


def _in_float32(function: Callable[..., Tensor], *operands: Operand) -> Tensor:
    """A function of operands of one dtype, computed in float32; in that dtype, if it is floating."""
    given = [tensor(operand, network_of(*operands)) for operand in operands]
    dtype = given[0].dtype
    return cast(function(*(cast(x, "float32") for x in given)), dtype if dtype.is_floating else dtypes.float32)


def square(x: Operand) -> Tensor:
    """``x * x``."""
    return mul(x, x)


def trunc(x: Tensor) -> Tensor:
    """`x` rounded toward 0."""
    return where(lt(x, 0), ceil(x), floor(x))


def fmod(x: Operand, y: Operand) -> Tensor:
    """What is left of x after division by `y`, with the sign of x."""
    return sub(x, mul(_trunc_divide(x, y), y))


def _trunc_divide(x: Operand, y: Operand) -> Tensor:
    """The quotient rounded toward 0, as TensorRT's of integers is."""
    dtype = result_type(x, y)
    quotient = _elementwise("DIV", x, y, "trunc_divide", dtype)
    return trunc(quotient) if dtype.is_floating else quotient


def lerp(x: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """``x + weight * (end - x)``."""
    return add(x, mul(weight, sub(end, x)))


def masked_fill(x: Tensor, mask: Tensor, value: float) -> Tensor:
    """`x` with `value` where the mask (bool) is true."""
    return where(mask, value, x)
