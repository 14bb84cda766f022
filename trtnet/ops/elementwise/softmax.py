"""Softmax and its relatives, with torch.nn.functional's names."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import axes_mask, axis
from trtnet.ops.elementwise.arithmetic import sub
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import exp, log, neg
from trtnet.ops.formulations import formulated
from trtnet.ops.positions.steps import beside, by_position
from trtnet.ops.reductions.reduce import amax, sum
from trtnet.ops.reductions.small_axes import is_computed_wrong
from trtnet.support.dtypes import DTypeLike, float32


def softmin(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """``softmax(-x)`` along `dim`.

    x: any shape, floating. dtype: what `x` is cast to after the negation. Returns the shape of `x`, in its dtype or in
    `dtype`.
    Layer: none, decomposed into IUnaryLayer NEG and ISoftMaxLayer.
    Raises LayerError for integers without a dtype, and for a `dim` out of range.
    Source: torch.nn.functional.softmin's documentation.
    """
    return softmax(neg(x), dim, dtype)


def softmax(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """``exp(x)`` divided by its sum along `dim`.

    x: any shape, floating. dtype: what `x` is cast to first. Returns the shape of `x`, in its dtype or in `dtype`.
    Layer: ISoftMaxLayer; other forms: ``trtnet.ops.forms.elementwise.softmax``; of a few elements see
    ``trtnet.ops.reductions.small_axes``.
    Raises LayerError for int32, int64 and bools without a dtype, and for a `dim` out of range.
    Source: torch.nn.functional.softmax's documentation.
    """
    given = x if dtype is None else cast(x, dtype)
    along = axis(given, dim, "softmax") if given.ndim else 0
    if given.ndim < 2:  # ISoftMaxLayer wants two axes
        return softmax(given.reshape(1, -1), 1).reshape(given.shape)
    return _softmax(given, along)


@by_position(beside(lambda given: (given["along"],)))
@formulated("softmax", "layer")
def _softmax(x: Tensor, along: int) -> Tensor:
    return softmax_layer(x, along)


def softmax_layer(x: Tensor, along: int) -> Tensor:
    """One ISoftMaxLayer of a tensor of two dimensions or more, or what a few elements are written out as.

    Raises LayerError for a dtype that it does not take.
    """
    if is_computed_wrong(x, (along,)) and x.dtype.is_floating:
        return written_out(x, along)
    hint = f"softmax does not take {x.dtype}"
    attributes = {"axes": axes_mask((along,))}
    (y,) = x.network.add("softmax", {"input": x}, attributes=attributes, hint=hint, dims=[x.shape])
    return y


def written_out(x: Tensor, along: int) -> Tensor:
    """exp(x - max) over its sum, in float32, as TensorRT has it of a few elements, with reductions that are right.

    x: floating.
    """
    wide = cast(x, float32)
    powers = exp(sub(wide, amax(wide, along, keepdim=True)))
    return cast(div(powers, sum(powers, along, keepdim=True)), x.dtype)


def log_softmax(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """``x - max - log(sum(exp(x - max)))`` along `dim`: log(softmax(x)) without underflow, in float32.

    x: any shape, floating. dtype: what `x` is cast to first. Returns the shape of `x`, in its dtype or in `dtype`.
    Layer: none, decomposed into IReduceLayer MAX and SUM, IUnaryLayer EXP and LOG, and IElementWiseLayer SUB.
    Raises LayerError for integers without a dtype, and for a `dim` out of range.
    Source: torch.nn.functional.log_softmax's documentation.
    """
    given = x if dtype is None else cast(x, dtype)
    if not given.dtype.is_floating:
        given.network.fail(f"log_softmax does not take {given.dtype}; give dtype=", {"x": given})
    wide = cast(given, float32)
    shifted = sub(wide, amax(wide, dim, keepdim=True))
    return cast(sub(shifted, log(sum(exp(shifted), dim, keepdim=True))), given.dtype)
