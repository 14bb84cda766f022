"""Normalization by its definition."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.elementwise.arithmetic import add, maximum, mul, sub
from trtnet.ops.elementwise.unary_functions import rsqrt, square
from trtnet.ops.reductions.reduce import mean
from trtnet.ops.shapes.joining import stack


def normalized(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """``(x - mean) / sqrt(var + eps)`` over some axes, of a float32 tensor."""
    _, left, inverse = centred(x, axes, eps)
    return mul(left, inverse)


def centred(x: Tensor, axes: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(the mean over some axes, which stay, what is left of a float32 tensor without it, ``1 / sqrt(var + eps)``)."""
    centre = mean(x, axes, keepdim=True)
    left = sub(x, centre)
    return centre, left, rsqrt(add(mean(square(left), axes, keepdim=True), eps))


def from_moments(wide: Tensor, within: int, across: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    """(the mean, ``1 / sqrt(var + eps)``) over an axis, then over others, which stay, from means of squares.

    One kernel makes the means over the first axis and reads the tensor once, another one the rest. across: axes behind
    one more. The difference of the squares loses 1e-7 of them in float32, which is less than rounding to 16 bits has
    taken from the elements.
    """
    both = stack([mean(wide, (within,), keepdim=True), mean(square(wide), (within,), keepdim=True)])
    means = mean(both, across, keepdim=True)
    centre, squares = means[0], means[1]
    return centre, rsqrt(add(maximum(sub(squares, square(centre)), 0.0), eps))
