"""Activation functions, with torch.nn.functional's names and constants.

inplace, of those that have it in torch: ``trtnet.ops.writes.in_place`` writes the result to the first argument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from trtnet.graph import Tensor
from trtnet.graph.tensors.tensor import Operand
from trtnet.ops.arguments.operands import axes_mask, axis, tensor
from trtnet.ops.elementwise.basic import abs, cast, exp, floating, gt, le, log, lt, maximum, mul, neg, sub, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.special import clamp, expm1
from trtnet.ops.formulations import form
from trtnet.ops.reductions.reduce import amax, sum
from trtnet.ops.shapes.split import chunk
from trtnet.support.backend import trt
from trtnet.support.dtypes import DTypeLike, bool_, float16, float32


def _activation(x: Tensor, kind: str, name: str, attributes: Mapping[str, float] | None = None) -> Tensor:
    arguments = {"input": x, "type": getattr(trt.ActivationType, kind)}
    hint = f"{name} does not take {x.dtype}"
    (y,) = x.network.add("activation", arguments, attributes=attributes, name=name, hint=hint, dims=[x.shape])
    return y


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0). Layer: IActivationLayer RELU; IElementWiseLayer MAX of integers. Raises LayerError for bools."""
    network = x.network
    if x.dtype == bool_:
        network.fail("relu does not take bool", {"x": x})
    return _activation(x, "RELU", "relu") if x.dtype.is_floating else maximum(x, 0)


def relu6(x: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6). Layer: IActivationLayer CLIP."""
    return _activation(x, "CLIP", "relu6", {"alpha": 0.0, "beta": 6.0})


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """min(max(x, min_val), max_val). Layer: IActivationLayer CLIP."""
    return _activation(x, "CLIP", "hardtanh", {"alpha": min_val, "beta": max_val})


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), of integers in float32. Layer: IActivationLayer SIGMOID."""
    return _activation(floating(x), "SIGMOID", "sigmoid")


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent, of integers in float32. Layer: IActivationLayer TANH."""
    return _activation(floating(x), "TANH", "tanh")


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is positive, else negative_slope * x. Layer: IActivationLayer LEAKY_RELU."""
    return _activation(x, "LEAKY_RELU", "leaky_relu", {"alpha": negative_slope})


def elu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, else alpha * (exp(x) - 1). Layer: IActivationLayer ELU."""
    return _activation(x, "ELU", "elu", {"alpha": alpha})


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), Phi the normal distribution function; ``approximate="tanh"`` for its tanh form (Hendrycks, 2016).

    Layer: IActivationLayer GELU_ERF or GELU_TANH; in its form "float32", where `x` is float16, between casts: as the
    float16 epilogue of a product, TensorRT-RTX is slower.
    """
    kinds = {"none": "GELU_ERF", "tanh": "GELU_TANH"}
    if approximate not in kinds:
        x.network.fail(f"gelu: approximate is 'none' or 'tanh', found {approximate!r}", {"x": x})
    wide = x.dtype == float16 and form(x.network, "gelu") == "float32"
    return cast(_activation(cast(x, float32) if wide else x, kinds[approximate], "gelu"), x.dtype)


def silu(x: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)."""
    return mul(x, sigmoid(x))


def hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x / 6 + 1 / 2, 0), 1). Layer: IActivationLayer HARD_SIGMOID."""
    return _activation(x, "HARD_SIGMOID", "hardsigmoid", {"alpha": 1 / 6, "beta": 0.5})


def hardswish(x: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x) (Howard et al., 2019)."""
    return mul(x, hardsigmoid(x))


def selu(x: Tensor, inplace: bool = False) -> Tensor:
    """scale * (x, or alpha * (exp(x) - 1) below 0) (Klambauer et al., 2017). Layer: IActivationLayer SELU."""
    return _activation(x, "SELU", "selu", {"alpha": 1.6732632423543772, "beta": 1.0507009873554805})


def celu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, else alpha * (exp(x / alpha) - 1) (Barron, 2017). Raises LayerError for an alpha of 0."""
    if alpha == 0:
        x.network.fail("celu: alpha is 0, by which it divides", {"x": x})
    if alpha > 0:
        return mul(elu(div(x, alpha)), alpha)
    return where(gt(x, 0), x, cast(mul(expm1(div(cast(x, float32), alpha)), alpha), x.dtype))


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, and x where beta * x is above the threshold. Layer: IActivationLayer SOFTPLUS."""
    y = _activation(x, "SOFTPLUS", "softplus", {"alpha": 1 / beta, "beta": beta})
    above = gt if beta > 0 else lt
    return where(above(x, threshold / beta), x, y)


def softsign(x: Tensor) -> Tensor:
    """x / (1 + abs(x)). Layer: IActivationLayer SOFTSIGN."""
    return _activation(x, "SOFTSIGN", "softsign")


def logsigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)), as -softplus(-x)."""
    return neg(softplus(neg(x)))


def mish(x: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) (Misra, 2019)."""
    return mul(x, tanh(softplus(x)))


def prelu(x: Tensor, weight: Operand) -> Tensor:
    """x where it is positive, else weight * x. weight: [1] or [channels], axis 1 of `x`.

    Layer: IParametricReLULayer; of fewer than two dimensions a product and a choice.
    """
    slopes = tensor(weight, x.network, x.dtype)
    if x.ndim < 2:
        return where(gt(x, 0), x, mul(slopes.reshape(()) if x.ndim == 0 else slopes, x))
    slopes = slopes.reshape(1, -1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else slopes
    (y,) = x.network.add("parametric_relu", {"input": x, "slopes": slopes}, name="prelu", dims=[x.shape])
    return y


def threshold(x: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above the threshold, else value; beside integers both lose their fractions, as in torch."""
    if not (x.dtype.is_floating or x.dtype == bool_):
        if not (math.isfinite(threshold) and math.isfinite(value)):
            x.network.fail(f"threshold of integers takes finite numbers, found {threshold} and {value}", {"x": x})
        threshold, value = int(threshold), int(value)
    return where(le(x, threshold), value, x)  # NaN stays


def hardshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """x where it is farther from 0 than lambd, else 0."""
    return where(le(abs(x), lambd), 0.0, x)  # NaN stays


def softshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """x brought nearer to 0 by lambd, and not beyond."""
    return sub(x, clamp(x, -lambd, lambd))


def tanhshrink(x: Tensor) -> Tensor:
    """x - tanh(x)."""
    return sub(x, tanh(x))


def rrelu(
    x: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu with the mean of the two slopes, which is what it is at inference (Xu et al., 2015).

    Raises LayerError for training, which is random.
    """
    if training:
        x.network.fail("rrelu: training draws slopes at random, an engine infers; leave training=True away", {"x": x})
    return leaky_relu(x, (lower + upper) / 2)


def glu(x: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim` times the sigmoid of the second (Dauphin et al., 2016)."""
    left, right = chunk(x, 2, dim)
    return mul(left, sigmoid(right))


def softmin(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """softmax(-x)."""
    return softmax(neg(x), dim, dtype)


def softmax(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """exp(x) over its sum along `dim`. dtype: to cast to first. Layer: ISoftMaxLayer."""
    given = x if dtype is None else cast(x, dtype)
    along = axis(given, dim, "softmax") if given.ndim else 0
    if given.ndim < 2:  # ISoftMaxLayer wants two axes
        return softmax(given.reshape(1, -1), 1).reshape(given.shape)
    hint = f"softmax does not take {given.dtype}"
    attributes = {"axes": axes_mask((along,))}
    (y,) = given.network.add("softmax", {"input": given}, attributes=attributes, hint=hint, dims=[given.shape])
    return y


def log_softmax(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """``x - max - log(sum(exp(x - max)))`` along `dim`, in float32, which is log(softmax(x)) without its underflow.

    dtype: to cast to first. Raises LayerError for integers without one.
    """
    given = x if dtype is None else cast(x, dtype)
    if not given.dtype.is_floating:
        given.network.fail(f"log_softmax does not take {given.dtype}; give dtype=", {"x": given})
    wide = cast(given, float32)
    shifted = sub(wide, amax(wide, dim, keepdim=True))
    return cast(sub(shifted, log(sum(exp(shifted), dim, keepdim=True))), given.dtype)
