"""Rounding to integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import network_of, tensor
from trtnet.ops.elementwise.arithmetic import arithmetic, mul
from trtnet.ops.elementwise.comparison import lt, where
from trtnet.ops.elementwise.layers import cast, unary
from trtnet.support import dtypes


def _to_integers(operation: str, what: str) -> Callable[[Operand], Tensor]:
    name = operation.lower()

    def function(x: Operand) -> Tensor:
        given = tensor(x, network_of(x))
        if given.dtype == dtypes.bool_:
            given.network.fail(f"{name} does not take bool", {"x": given})
        return unary(given, operation, name) if given.dtype.is_floating else given

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{what} each element.

    x: any shape, floating; integers are returned unchanged. Returns the shape and dtype of `x`.
    Layer: IUnaryLayer {operation}.
    Raises LayerError for bools.
    """
    return function


floor = _to_integers("FLOOR", "The largest integer that is not above")


ceil = _to_integers("CEIL", "The smallest integer that is not below")


_round = _to_integers("ROUND", "The integer nearest to")


def round(x: Operand, decimals: int = 0) -> Tensor:
    """The nearest integers, halves to even; or the nearest multiples of ``10 ** -decimals``.

    x: any shape, floating; integers are returned unchanged. Returns the shape and dtype of `x`.
    Layer: IUnaryLayer ROUND; with decimals, between a product and a quotient in float32.
    Raises LayerError for bools.
    """
    given = tensor(x, network_of(x))
    if decimals == 0 or not given.dtype.is_floating:
        return _round(given)
    scale, wide = float(10 ** np.abs(decimals)), cast(given, dtypes.float32)
    if decimals > 0:
        return cast(arithmetic("DIV", _round(mul(wide, scale)), scale, "round"), given.dtype)
    return cast(mul(_round(arithmetic("DIV", wide, scale, "round")), scale), given.dtype)


def trunc(x: Operand) -> Tensor:
    """`x` rounded toward 0.

    x: any shape, floating; integers are returned unchanged. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IUnaryLayer CEIL and FLOOR, and ISelectLayer by the sign.
    Raises LayerError for bools.
    """
    given = tensor(x, network_of(x))
    return where(lt(given, 0), ceil(given), floor(given)) if given.dtype.is_floating else floor(given)
