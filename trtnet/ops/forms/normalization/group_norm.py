"""Group norms in float32, from means of groups that are an axis, or of their channels or positions first."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import rsqrt, square
from trtnet.ops.forms.normalization.centring import from_moments, normalized
from trtnet.ops.formulations import form
from trtnet.ops.normalization.norm import norm_layer, per_channel
from trtnet.ops.reductions.reduce import mean
from trtnet.support.dtypes import float32


def has_elements(x: Tensor, *_: object) -> bool:
    """Whether no axis is known to be empty."""
    return 0 not in [size for size in x.shape if isinstance(size, int)]


@form("group_norm", "decomposed", applies=has_elements)
def decomposed(x: Tensor, num_groups: int, weight: Operand | None, bias: Operand | None, eps: float) -> Tensor:
    """[batch, groups, elements of a group], normalized from means in float32."""
    wide = _groups(cast(x, float32), num_groups)
    return _affine(x, normalized(wide, (2,), eps), weight, bias)


@form("group_norm", "layer_norm", applies=has_elements)
def layer_norm(x: Tensor, num_groups: int, weight: Operand | None, bias: Operand | None, eps: float) -> Tensor:
    """A layer norm of each group, with the weights of the channels after it."""
    wide = _groups(cast(x, float32), num_groups)
    one, none = (per_channel(wide, None, value, 1).reshape(1, 1, 1) for value in (1.0, 0.0))
    return _affine(x, norm_layer(wide, (2,), one, none, eps, "group_norm"), weight, bias)


@form("group_norm", "by_channel", applies=has_elements)
def by_channel(x: Tensor, num_groups: int, weight: Operand | None, bias: Operand | None, eps: float) -> Tensor:
    """From the mean and the variance of each channel: kernels of many rows instead of one of few long ones."""
    return _affine(x, _normalized_by_parts(x, num_groups, 3, eps), weight, bias)


@form("group_norm", "by_position", applies=has_elements)
def by_position(x: Tensor, num_groups: int, weight: Operand | None, bias: Operand | None, eps: float) -> Tensor:
    """From the mean and the variance of the channels of a group at each position."""
    return _affine(x, _normalized_by_parts(x, num_groups, 2, eps), weight, bias)


def is_narrow(x: Tensor, *_: object) -> bool:
    """Whether its elements have 16 bits and no axis is known to be empty."""
    return x.dtype.bits == 16 and has_elements(x)


@form("group_norm", "moments", applies=is_narrow)
def moments(x: Tensor, num_groups: int, weight: Operand | None, bias: Operand | None, eps: float) -> Tensor:
    """From the means of elements and of their squares, of the channels at each position first."""
    wide = _parts(x, num_groups)
    centre, inverse = from_moments(wide, 2, (4,), eps)
    return _affine(x, mul(sub(wide, centre), inverse), weight, bias)


def _normalized_by_parts(x: Tensor, groups: int, within: int, eps: float) -> Tensor:
    """[batch, groups, channels of a group, positions], normalized over the last two axes; parts are along `within`.

    The variance of the whole is the mean of the parts' variances, and the variance of their means (Chan, Golub and
    LeVeque, 1979, for parts of one size).
    """
    across = 5 - within
    wide = _parts(x, groups)
    means = mean(wide, (within,), keepdim=True)
    centre = mean(means, (across,), keepdim=True)
    squares = mean(square(sub(wide, means)), (within,), keepdim=True)
    variance = mean(add(squares, square(sub(means, centre))), (across,), keepdim=True)
    return mul(sub(wide, centre), rsqrt(add(variance, eps)))


def _parts(x: Tensor, groups: int) -> Tensor:
    """[batch, groups, channels of a group, positions], in float32."""
    return cast(x, float32).reshape(x.shape[0], groups, int(x.shape[1]) // groups, -1)


def _groups(x: Tensor, count: int) -> Tensor:
    return x.reshape(x.shape[0], count, -1)


def _affine(x: Tensor, y: Tensor, weight: Operand | None, bias: Operand | None) -> Tensor:
    """Of the shape and dtype of `x`, with a scale and a shift of each channel, in float32 up to the result."""
    y, channels = y.reshape(*x.shape), int(x.shape[1])
    scale, shift = (cast(per_channel(x, w, fill, channels), float32) for w, fill in ((weight, 1.0), (bias, 0.0)))
    return cast(add(mul(y, scale), shift), x.dtype)
