"""Activation functions that cut off or shrink, with torch.nn.functional's names."""

from __future__ import annotations

import math

from trtnet.graph import Tensor
from trtnet.ops.elementwise.activation import tanh
from trtnet.ops.elementwise.arithmetic import sub
from trtnet.ops.elementwise.comparison import le, where
from trtnet.ops.elementwise.special import clamp
from trtnet.ops.elementwise.unary_functions import abs
from trtnet.support.dtypes import bool_


def threshold(x: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """`x` where it is above the threshold, else `value`.

    x: any shape, floating or integer. threshold, value: numbers; for integers their fractions are cut off, as in torch.
    Returns the shape and dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer and ISelectLayer.
    Raises LayerError for numbers that are not finite if `x` is integer, and for uint8.
    Source: torch.nn.functional.threshold's documentation.
    """
    if not (x.dtype.is_floating or x.dtype == bool_):
        if not (math.isfinite(threshold) and math.isfinite(value)):
            x.network.fail(f"threshold of integers takes finite numbers, found {threshold} and {value}", {"x": x})
        threshold, value = int(threshold), int(value)
    return where(le(x, threshold), value, x)  # NaN stays


def hardshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """`x` where its magnitude is above `lambd`, else 0.

    x: any shape, floating. Returns the shape and dtype of `x`; float32 for integers.
    Layer: none, decomposed into IUnaryLayer ABS, IElementWiseLayer and ISelectLayer.
    Raises LayerError for bools and uint8.
    Source: torch.nn.functional.hardshrink's documentation.
    """
    return where(le(abs(x), lambd), 0.0, x)  # NaN stays


def softshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """`x` moved toward 0 by `lambd`, and no further than 0.

    x: any shape, floating. Returns the shape and dtype of `x`; float32 for integers.
    Layer: none, decomposed into IElementWiseLayer MAX, MIN and SUB.
    Raises LayerError for bools.
    Source: torch.nn.functional.softshrink's documentation.
    """
    return sub(x, clamp(x, -lambd, lambd))


def tanhshrink(x: Tensor) -> Tensor:
    """``x - tanh(x)`` of each element.

    x: any shape, floating; integers become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IActivationLayer TANH and IElementWiseLayer SUB.
    Raises LayerError for bools.
    Source: torch.nn.functional.tanhshrink's documentation.
    """
    return sub(x, tanh(x))
