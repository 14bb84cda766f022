"""Normalization by its definition."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.unary_functions import rsqrt
from trtnet.ops.reductions.reduce import mean


def normalized(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """``(x - mean) / sqrt(var + eps)`` over some axes, of a float32 tensor."""
    centred = sub(x, mean(x, axes, keepdim=True))
    variance = mean(mul(centred, centred), axes, keepdim=True)
    return mul(centred, rsqrt(add(variance, eps)))
