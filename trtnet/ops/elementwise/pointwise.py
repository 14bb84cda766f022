"""Further functions of each element, made of others, with torch's names and arguments."""

from __future__ import annotations

import math
from collections.abc import Callable

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import align, align_as_floats
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul, sub
from trtnet.ops.elementwise.comparison import eq, gt, is_negative, isnan, le, lt, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast, floating
from trtnet.ops.elementwise.logic import logical_and, logical_or
from trtnet.ops.elementwise.powers import pow
from trtnet.ops.elementwise.rounding import floor, trunc
from trtnet.ops.elementwise.special import clamp
from trtnet.ops.elementwise.unary_functions import abs, erf, exp, log, neg, sin, sqrt
from trtnet.support import dtypes

_ERFC = (0.225675836, 0.225676075, 0.207608506, 0.171795532, 0.118680865, 0.0850501209, -0.0493362956, 0.14085996,
         -0.238246322, 0.141695976, -0.0294602457)  # fmt: skip
"""exp(x^2) erfc(x) (2.5 + x) / 2.5 as a polynomial of 2.5 / (2.5 + x), from the constant on."""


def _in_float32(function: Callable[..., Tensor], name: str, *operands: Operand) -> Tensor:
    """A function of operands of one dtype, computed in float32; in that dtype, if it is floating."""
    given = align_as_floats(name, *operands)
    return cast(function(*(cast(x, "float32") for x in given)), given[0].dtype)


def exp2(x: Operand) -> Tensor:
    """2 to the power of each element, computed in float32.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: IElementWiseLayer POW.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return _in_float32(lambda y: pow(2.0, y), "exp2", x)


def erfc(x: Operand) -> Tensor:
    """The complementary error function ``1 - erf(x)``, without its loss of precision for large `x`.

    x: any shape, floating; integers and bools become float32. Computed in float32. Returns the shape of `x`, in that
    floating dtype. Above 1/2 it is ``exp(-x^2) t P(t)`` with ``t = 2.5 / (2.5 + x)`` and a polynomial P fitted to
    ``exp(x^2) erfc(x) / t``, 7e-9 off at most. ``x^2`` is ``a^2 + (x - a) (x + a)``, where `a` is `x` cut to a multiple
    of 1/16, so that the square is exact.
    Layer: none, decomposed into IUnaryLayer ERF and EXP, IElementWiseLayer and ISelectLayer.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: Abramowitz and Stegun, 1964, 7.1.26 (the form); the coefficients are our own fit.
    """

    def near_and_far(y: Tensor) -> Tensor:
        far = clamp(y, 0.5, 11.0)  # beyond it is 0 in float32
        cut = mul(floor(mul(far, 16.0)), 1 / 16)
        t = div(2.5, add(far, 2.5))
        scaled: Operand = _ERFC[-1]
        for coefficient in _ERFC[-2::-1]:
            scaled = add(mul(t, scaled), coefficient)
        tail = mul(exp(neg(mul(cut, cut))), exp(neg(mul(sub(far, cut), add(far, cut)))))
        return where(gt(y, 0.5), mul(mul(t, scaled), tail), sub(1.0, erf(y)))

    return _in_float32(near_and_far, "erfc", x)


def frac(x: Operand) -> Tensor:
    """The fractional part, ``x - trunc(x)``.

    x: any shape, floating; integers give 0. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IUnaryLayer CEIL and FLOOR, ISelectLayer, and IElementWiseLayer SUB.
    Raises LayerError for bools and uint8.
    """
    return sub(x, trunc(x))


def rad2deg(x: Operand) -> Tensor:
    """Radians as degrees, ``x * 180 / pi``.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: IElementWiseLayer PROD.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return mul(floating(x), 180 / math.pi)


def deg2rad(x: Operand) -> Tensor:
    """Degrees as radians, ``x * pi / 180``.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: IElementWiseLayer PROD.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return mul(floating(x), math.pi / 180)


def sinc(x: Operand) -> Tensor:
    """``sin(pi x) / (pi x)``, 1 at 0; computed in float32.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IUnaryLayer SIN, IElementWiseLayer and ISelectLayer.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: torch.sinc's documentation (the normalized sinc).
    """

    def ratio(y: Tensor) -> Tensor:
        angle = mul(y, math.pi)
        return where(eq(y, 0), 1.0, div(sin(angle), where(eq(y, 0), 1.0, angle)))

    return _in_float32(ratio, "sinc", x)


def logit(x: Operand, eps: float | None = None) -> Tensor:
    """``log(x / (1 - x))``, computed in float32.

    x: any shape, floating; integers and bools become float32. eps: limits `x` to [eps, 1 - eps] first. Returns the
    shape of `x`, in that floating dtype.
    Layer: none, decomposed into IUnaryLayer LOG and IElementWiseLayer.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: torch.logit's documentation.
    """

    def odds(y: Tensor) -> Tensor:
        limited = y if eps is None else clamp(y, eps, 1 - eps)
        return log(div(limited, sub(1.0, limited)))

    return _in_float32(odds, "logit", x)


def xlogy(x: Operand, y: Operand) -> Tensor:
    """``x * log(y)``, 0 where `x` is 0 and `y` is not NaN; computed in float32.

    x, y: shapes that broadcast; tensors of any dtype, or numbers. Returns the broadcast shape, in torch's promoted
    dtype; float32 for integers.
    Layer: none, decomposed into IUnaryLayer LOG, IElementWiseLayer and ISelectLayer.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.special.xlogy's documentation.
    """

    def product(a: Tensor, b: Tensor) -> Tensor:
        none = logical_and(eq(a, 0), eq(b, b))
        return where(none, 0.0, mul(a, log(where(none, 1.0, b))))

    return _in_float32(product, "xlogy", x, y)


def hypot(x: Operand, y: Operand) -> Tensor:
    """``sqrt(x^2 + y^2)`` without overflow: the larger times ``sqrt(1 + ratio^2)``; computed in float32.

    x, y: shapes that broadcast; floating tensors or numbers. Returns the broadcast shape, in torch's promoted dtype.
    Layer: none, decomposed into IUnaryLayer ABS and SQRT, IElementWiseLayer and ISelectLayer.
    Raises LayerError for shapes that do not broadcast.
    """

    def length(a: Tensor, b: Tensor) -> Tensor:
        large, small = maximum(abs(a), abs(b)), minimum(abs(a), abs(b))
        endless = logical_or(eq(abs(a), math.inf), eq(abs(b), math.inf))  # beside NaN, too
        ratio = div(small, where(eq(large, 0), 1.0, large))
        return where(endless, math.inf, mul(large, sqrt(add(mul(ratio, ratio), 1.0))))

    return _in_float32(length, "hypot", x, y)


def copysign(x: Operand, other: Operand) -> Tensor:
    """The magnitude of `x` with the sign of `other`, including the sign of a zero.

    x, other: shapes that broadcast; floating tensors or numbers; integers become float32. Returns the broadcast shape,
    in torch's promoted dtype.
    Layer: none, decomposed into IUnaryLayer ABS and RECIP (a zero has the sign of 1 / other), IElementWiseLayer and
    ISelectLayer.
    Raises LayerError for shapes that do not broadcast.
    """
    a, b = align_as_floats("copysign", x, other)
    size = abs(a)
    return where(is_negative(b), neg(size), size)


def fmax(x: Operand, other: Operand) -> Tensor:
    """The larger of each pair of elements; where one of the two is NaN, the other one.

    x, other: shapes that broadcast; floating, integer or bool tensors, or numbers. Returns the broadcast shape, in
    torch's promoted dtype.
    Layer: IElementWiseLayer MAX; for floats between IUnaryLayer ISNAN and ISelectLayer.
    Raises LayerError for shapes that do not broadcast, and for uint8.
    """
    a, b = align("fmax", x, other)
    return maximum(a, b) if not a.dtype.is_floating else where(isnan(a), b, where(isnan(b), a, maximum(a, b)))


def fmin(x: Operand, other: Operand) -> Tensor:
    """The smaller of each pair of elements; where one of the two is NaN, the other one.

    x, other: shapes that broadcast; floating, integer or bool tensors, or numbers. Returns the broadcast shape, in
    torch's promoted dtype.
    Layer: IElementWiseLayer MIN; for floats between IUnaryLayer ISNAN and ISelectLayer.
    Raises LayerError for shapes that do not broadcast, and for uint8.
    """
    a, b = align("fmin", x, other)
    return minimum(a, b) if not a.dtype.is_floating else where(isnan(a), b, where(isnan(b), a, minimum(a, b)))


def addcmul(x: Operand, tensor1: Operand, tensor2: Operand, value: float = 1) -> Tensor:
    """``x + value * tensor1 * tensor2``; floats are computed in float32.

    x, tensor1, tensor2: shapes that broadcast; floating or integer tensors. value: a number, cut to an integer for
    integers. Returns the broadcast shape, in torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer PROD and SUM.
    Raises LayerError for bools, and for shapes that do not broadcast.
    """
    a, b, c = align("addcmul", x, tensor1, tensor2)
    if a.dtype == dtypes.bool_:
        a.network.fail("addcmul does not take bools: cast one", {"x": a, "tensor1": b, "tensor2": c})
    if not a.dtype.is_floating:
        return add(a, mul(b, c), alpha=int(value))
    return _in_float32(lambda p, q, r: add(p, mul(q, r), alpha=value), "addcmul", a, b, c)


def addcdiv(x: Operand, tensor1: Operand, tensor2: Operand, value: float = 1) -> Tensor:
    """``x + value * tensor1 / tensor2``, computed in float32.

    x, tensor1, tensor2: shapes that broadcast; floating tensors. value: a number. Returns the broadcast shape, in
    torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer DIV, PROD and SUM.
    Raises LayerError for integers, as torch does, and for shapes that do not broadcast.
    """
    a, b, c = align("addcdiv", x, tensor1, tensor2)
    if not a.dtype.is_floating:
        a.network.fail("addcdiv takes floats; use ops.add and ops.div", {"x": a, "tensor1": b, "tensor2": c})
    return _in_float32(lambda p, q, r: add(p, div(q, r), alpha=value), "addcdiv", a, b, c)


def isclose(x: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """True where ``abs(x - other) <= atol + rtol * abs(other)``; equal infinities are close.

    x, other: shapes that broadcast; tensors of any dtype, or numbers. equal_nan: two NaNs are close too. Returns the
    broadcast shape, bool.
    Layer: none, decomposed into IElementWiseLayer and IUnaryLayer ABS.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.isclose's documentation.
    """
    a, b = align("isclose", x, other)
    wide, reach = (cast(v, "float32") for v in (a, b))
    near = le(abs(sub(wide, reach)), add(mul(abs(reach), rtol), atol))
    finite = lt(abs(reach), math.inf)
    close = logical_or(eq(a, b), logical_and(near, finite))
    return logical_or(close, logical_and(isnan(wide), isnan(reach))) if equal_nan else close
