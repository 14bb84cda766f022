"""Functions of each element that are made of several layers."""

from __future__ import annotations

import math
from collections.abc import Callable

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import align, align_as_floats, common_type, network_of, tensor
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul, sub
from trtnet.ops.elementwise.comparison import eq, gt, is_negative, isinf, isnan, lt, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import activation, cast
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.elementwise.unary_functions import abs, atan, atanh, exp, log, neg
from trtnet.support import dtypes


def clamp(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """`x` limited to [min, max].

    x: any shape, floating or integer. min, max: numbers or tensors that broadcast with `x`; either may be None. Returns
    the broadcast shape, in torch's promoted dtype of all that are given.
    Layer: IElementWiseLayer MAX, then MIN.
    Raises LayerError if neither bound is given, and for bools.
    """
    bounds = [bound for bound in (min, max) if bound is not None]
    network = network_of(x, *bounds)
    if not bounds:
        network.fail("clamp takes min, max or both", {"x": x})
    dtype = common_type("clamp", x, *bounds)
    if dtype == dtypes.bool_:
        network.fail("clamp does not take bools", {"x": x})
    limited = tensor(x, network)
    if min is not None:
        limited = maximum(cast(limited, dtype), cast(min, dtype))
    return limited if max is None else minimum(cast(limited, dtype), cast(max, dtype))


clip = clamp


def clamp_min(x: Operand, min: Operand) -> Tensor:
    """`x`, or `min` where that is larger.

    x: any shape, floating or integer. min: a number, or a tensor that broadcasts with `x`. Returns the broadcast shape,
    in torch's promoted dtype.
    Layer: IElementWiseLayer MAX.
    Raises LayerError for bools, and for shapes that do not broadcast.
    """
    return clamp(x, min)


def clamp_max(x: Operand, max: Operand) -> Tensor:
    """`x`, or `max` where that is smaller.

    x: any shape, floating or integer. max: a number, or a tensor that broadcasts with `x`. Returns the broadcast shape,
    in torch's promoted dtype.
    Layer: IElementWiseLayer MIN.
    Raises LayerError for bools, and for shapes that do not broadcast.
    """
    return clamp(x, None, max)


def log2(x: Operand) -> Tensor:
    """The logarithm to base 2 of each element, computed in float32.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IUnaryLayer LOG and IElementWiseLayer PROD.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return _in_float32(lambda y: mul(log(y), 1 / math.log(2)), x)


def log10(x: Operand) -> Tensor:
    """The logarithm to base 10 of each element, computed in float32.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IUnaryLayer LOG and IElementWiseLayer PROD.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return _in_float32(lambda y: mul(log(y), 1 / math.log(10)), x)


def log1p(x: Operand) -> Tensor:
    """``log(1 + x)``, accurate near 0, where it is ``2 atanh(x / (2 + x))``; computed in float32.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IUnaryLayer LOG and ATANH, IElementWiseLayer and ISelectLayer.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: Abramowitz and Stegun, 1964, 4.6.22 (atanh as a logarithm).
    """

    def near_and_far(y: Tensor) -> Tensor:
        near = mul(atanh(div(y, add(y, 2.0))), 2.0)
        return where(lt(abs(y), 0.5), near, log(add(y, 1.0)))

    return _in_float32(near_and_far, x)


def expm1(x: Operand) -> Tensor:
    """``exp(x) - 1``, accurate near 0: ``tanh(x / 2) (exp(x) + 1)``; computed in float32.

    x: any shape, floating; integers and bools become float32. Returns the shape of `x`, in that floating dtype.
    Layer: none, decomposed into IActivationLayer TANH, IUnaryLayer EXP and IElementWiseLayer.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: Abramowitz and Stegun, 1964, 4.5.3 (tanh as exponentials).
    """
    return _in_float32(lambda y: mul(_tanh(mul(y, 0.5)), add(exp(y), 1.0)), x)


def logaddexp(x: Operand, y: Operand) -> Tensor:
    """``log(exp(x) + exp(y))`` without overflow: the larger plus ``log1p(exp(-abs(x - y)))``; computed in float32.

    x, y: shapes that broadcast; floating tensors or numbers; integers become float32. Returns the broadcast shape, in
    torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer, IUnaryLayer and ISelectLayer.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.logaddexp's documentation.
    """

    def larger_and_rest(a: Tensor, b: Tensor) -> Tensor:
        return add(maximum(a, b), where(eq(a, b), math.log(2), log1p(exp(neg(abs(sub(a, b)))))))

    return _in_float32(larger_and_rest, *align_as_floats("logaddexp", x, y))


def atan2(x: Operand, y: Operand) -> Tensor:
    """The angle of the point (x, y), from -pi to pi, by the signs of both, also of zeros; computed in float32.

    x, y: shapes that broadcast; floating tensors or numbers; integers become float32. Without signs it is ``atan(|x| /
    |y|)``, for two infinities a diagonal. Returns the broadcast shape, in torch's promoted dtype.
    Layer: none, decomposed into IUnaryLayer ATAN, IElementWiseLayer DIV and ISelectLayer.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.atan2's documentation.
    """

    def angle(a: Tensor, b: Tensor) -> Tensor:
        none, endless = logical_and(eq(a, 0), eq(b, 0)), logical_and(isinf(a), isinf(b))
        ratio = where(none, 0.0, where(endless, 1.0, div(abs(a), abs(b))))
        right = atan(ratio)
        size = where(is_negative(b), sub(math.pi, right), right)
        return where(is_negative(a), neg(size), size)

    return _in_float32(angle, *align_as_floats("atan2", x, y))


def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """`x` with numbers in place of NaN and the infinities.

    x: any shape and dtype; integers and bools are returned unchanged. nan: 0 by default. posinf, neginf: by default the
    largest and smallest values of the dtype. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IUnaryLayer ISNAN and ISINF, and ISelectLayer.
    Raises ModelError for an `x` that is not a tensor of the network.
    """
    if not x.dtype.is_floating:
        return x
    high, low = (x.dtype.max if posinf is None else posinf), (-x.dtype.max if neginf is None else neginf)
    below = where(isinf(x), low, x)
    return where(isnan(x), nan, where(logical_and(isinf(x), gt(x, 0)), high, below))


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`x` unchanged: an engine runs inference only.

    x: any shape and dtype. training: write ``training=self.training``, which is False here. Returns `x`.
    Layer: none.
    Raises LayerError for training=True, torch's default, where torch drops elements even in eval().
    Source: Srivastava et al., 2014, "Dropout" (the identity at inference).
    """
    if training and p:
        x.network.fail("dropout: an engine does not train; write training=self.training, which is False", {"x": x})
    return x


def _tanh(x: Tensor) -> Tensor:
    return activation(x, "TANH", "tanh")


def _in_float32(function: Callable[..., Tensor], *operands: Operand) -> Tensor:
    """A function of operands of one dtype, computed in float32; in that dtype, if it is floating."""
    given = [tensor(operand, network_of(*operands)) for operand in operands]
    dtype = given[0].dtype
    return cast(function(*(cast(x, "float32") for x in given)), dtype if dtype.is_floating else dtypes.float32)


def lerp(x: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """``x + weight * (end - x)``, from the nearer end and in float32, as torch computes it.

    x, end: shapes that broadcast, of one floating dtype. weight: a number, or a floating tensor that broadcasts with
    them. Returns the broadcast shape, in the dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer; with a tensor as weight, ISelectLayer too.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.lerp's documentation.
    """

    def between(a: Tensor, b: Tensor) -> Tensor:
        if isinstance(weight, int | float):
            return add(a, mul(sub(b, a), weight)) if -0.5 < weight < 0.5 else sub(b, mul(sub(b, a), 1 - weight))
        part = cast(weight, dtypes.float32)
        near, far = add(a, mul(sub(b, a), part)), sub(b, mul(sub(b, a), sub(1.0, part)))
        return where(lt(abs(part), 0.5), near, far)

    return _in_float32(between, x, end)


def heaviside(x: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above it, and `values` at 0.

    x, values: shapes that broadcast, of one dtype, floating or integer. Returns the broadcast shape, in that dtype.
    Layer: IElementWiseLayer GREATER and EQUAL, ISelectLayer.
    Raises LayerError for two dtypes.
    """
    if x.dtype != values.dtype:
        x.network.fail("heaviside takes two tensors of one dtype", {"x": x, "values": values})
    one, other = align("heaviside", x, values)
    return where(eq(one, 0), other, cast(gt(one, 0), x.dtype))


def isposinf(x: Tensor) -> Tensor:
    """Where an element is infinite and above 0.

    x: any shape and dtype. Returns its shape, bool.
    Layer: IElementWiseLayer EQUAL.
    Raises LayerError for an operand that is no tensor.
    """
    return eq(_float(x), float("inf"))


def isneginf(x: Tensor) -> Tensor:
    """Where an element is infinite and below 0.

    x: any shape and dtype. Returns its shape, bool.
    Layer: IElementWiseLayer EQUAL.
    Raises LayerError for an operand that is no tensor.
    """
    return eq(_float(x), float("-inf"))


def _float(x: Tensor) -> Tensor:
    found = tensor(x, x.network)
    return found if found.dtype.is_floating else cast(found, "float32")
