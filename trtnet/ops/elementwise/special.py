"""Functions of each element that are made of several layers."""

from __future__ import annotations

import math
from collections.abc import Callable

from trtnet.graph import Tensor
from trtnet.graph.tensors.tensor import Operand
from trtnet.ops.arguments.operands import align_as_floats, common_type, network_of, tensor
from trtnet.ops.elementwise.basic import (
    abs,
    add,
    atan,
    atanh,
    cast,
    eq,
    exp,
    gt,
    is_negative,
    isinf,
    isnan,
    log,
    logical_and,
    lt,
    maximum,
    minimum,
    mul,
    neg,
    sub,
    where,
)
from trtnet.ops.elementwise.division import div
from trtnet.support import dtypes
from trtnet.support.backend import trt


def clamp(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """`x` limited to [min, max], numbers or tensors; either may be None. Layers: IElementWiseLayer MAX, MIN.

    In torch's result type of all that are given. Raises LayerError if none is.
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
    """`x`, or `min` where that is larger."""
    return clamp(x, min)


def clamp_max(x: Operand, max: Operand) -> Tensor:
    """`x`, or `max` where that is smaller."""
    return clamp(x, None, max)


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

    return _in_float32(larger_and_rest, *align_as_floats("logaddexp", x, y))


def atan2(x: Operand, y: Operand) -> Tensor:
    """The angle of the point (y, x), from -pi to pi, by the signs of both, of zeros too; computed in float32.

    Of sizes it is ``atan(|x| / |y|)``, of two infinities a diagonal. Layers: IUnaryLayer ATAN, ISelectLayer.
    """

    def angle(a: Tensor, b: Tensor) -> Tensor:
        none, endless = logical_and(eq(a, 0), eq(b, 0)), logical_and(isinf(a), isinf(b))
        ratio = where(none, 0.0, where(endless, 1.0, div(abs(a), abs(b))))
        right = atan(ratio)
        size = where(is_negative(b), sub(math.pi, right), right)
        return where(is_negative(a), neg(size), size)

    return _in_float32(angle, *align_as_floats("atan2", x, y))


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


def lerp(x: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """``x + weight * (end - x)``, from the nearer end and in float32, as torch computes it."""

    def between(a: Tensor, b: Tensor) -> Tensor:
        if isinstance(weight, int | float):
            return add(a, mul(sub(b, a), weight)) if -0.5 < weight < 0.5 else sub(b, mul(sub(b, a), 1 - weight))
        part = cast(weight, dtypes.float32)
        near, far = add(a, mul(sub(b, a), part)), sub(b, mul(sub(b, a), sub(1.0, part)))
        return where(lt(abs(part), 0.5), near, far)

    return _in_float32(between, x, end)
