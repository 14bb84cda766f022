"""Functions of each element that TensorRT has a unary layer for."""

from __future__ import annotations

from collections.abc import Callable

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import network_of, tensor
from trtnet.ops.elementwise.arithmetic import as_int8, mul
from trtnet.ops.elementwise.layers import cast, floating, no_uint8, unary
from trtnet.support import dtypes


def _function(operation: str, what: str) -> Callable[[Operand], Tensor]:
    name = operation.lower().replace("recip", "reciprocal")

    def function(x: Operand) -> Tensor:
        return unary(floating(x), operation, name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{what} of each element.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: IUnaryLayer {operation}.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: torch.{name}'s documentation.
    """
    return function


exp = _function("EXP", "The exponential ``exp(x)``")


log = _function("LOG", "The natural logarithm (NaN below 0)")


sqrt = _function("SQRT", "The square root (NaN below 0)")


reciprocal = _function("RECIP", "The reciprocal ``1 / x``")


erf = _function("ERF", "The error function")


sin, cos, tan = (
    _function(op, f"The {what} (in radians)") for op, what in (("SIN", "sine"), ("COS", "cosine"), ("TAN", "tangent"))
)


asin, acos, atan = (
    _function(op, f"The inverse {what} (in radians)")
    for op, what in (("ASIN", "sine"), ("ACOS", "cosine"), ("ATAN", "tangent"))
)


sinh, cosh = (_function(op, f"The hyperbolic {what}") for op, what in (("SINH", "sine"), ("COSH", "cosine")))


asinh, acosh, atanh = (
    _function(op, f"The inverse hyperbolic {what}")
    for op, what in (("ASINH", "sine"), ("ACOSH", "cosine"), ("ATANH", "tangent"))
)


def _of_numbers(operation: str, what: str) -> Callable[[Operand], Tensor]:
    name = operation.lower()

    def function(x: Operand) -> Tensor:
        given = tensor(x, network_of(x))
        no_uint8(name, given.dtype, given.network, x=given)
        if given.dtype == dtypes.int8:
            return as_int8(unary(cast(given, dtypes.int32), operation, name))
        return unary(given, operation, name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{what} of each element.

    x: any shape, floating or integer. Returns the shape and dtype of `x`.
    Layer: IUnaryLayer {operation}.
    Raises LayerError for bools and uint8.
    """
    return function


abs = _of_numbers("ABS", "The absolute value")


neg = _of_numbers("NEG", "The negative ``-x``")


_sign = _of_numbers("SIGN", "The sign")


def sign(x: Operand) -> Tensor:
    """-1, 0 or 1 by the sign of each element; bools unchanged.

    x: any shape, floating, integer or bool. Returns the shape and dtype of `x`.
    Layer: IUnaryLayer SIGN.
    Raises LayerError for uint8.
    """
    given = tensor(x, network_of(x))
    return given if given.dtype == dtypes.bool_ else _sign(given)


def rsqrt(x: Operand) -> Tensor:
    """``1 / sqrt(x)`` of each element.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IUnaryLayer SQRT and RECIP.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return reciprocal(sqrt(x))


def positive(x: Operand) -> Tensor:
    """``+x``: `x` itself.

    x: any shape, floating or integer. Returns `x`.
    Layer: none.
    Raises LayerError for bools, as torch does.
    """
    given = tensor(x, network_of(x))
    if given.dtype == dtypes.bool_:
        given.network.fail("positive of bools: torch has none", {"x": given})
    return given


def square(x: Operand) -> Tensor:
    """``x * x`` of each element.

    x: any shape, floating, integer or bool. Returns the shape and dtype of `x`; int64 for bools.
    Layer: IElementWiseLayer PROD.
    Raises LayerError for uint8.
    """
    given = tensor(x, network_of(x))
    wide = cast(given, dtypes.int64) if given.dtype == dtypes.bool_ else given
    return mul(wide, wide)
