"""Activation functions, with torch.nn.functional's names and constants."""

from __future__ import annotations

from collections.abc import Mapping

from trtnet.backend import trt
from trtnet.graph import Tensor
from trtnet.ops.elementwise import cast, exp, log, mul, sub
from trtnet.ops.operands import axes_mask, axis
from trtnet.ops.reduce import amax, sum


def _activation(x: Tensor, kind: str, name: str, attributes: Mapping[str, float] | None = None) -> Tensor:
    arguments = {"input": x, "type": getattr(trt.ActivationType, kind)}
    hint = f"{name} does not take {x.dtype}"
    (y,) = x.network.add("activation", arguments, attributes=attributes, name=name, hint=hint, dims=[x.shape])
    return y


def relu(x: Tensor) -> Tensor:
    """max(x, 0). Layer: IActivationLayer RELU."""
    return _activation(x, "RELU", "relu")


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6). Layer: IActivationLayer CLIP."""
    return _activation(x, "CLIP", "relu6", {"alpha": 0.0, "beta": 6.0})


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """min(max(x, min_val), max_val). Layer: IActivationLayer CLIP."""
    return _activation(x, "CLIP", "hardtanh", {"alpha": min_val, "beta": max_val})


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)). Layer: IActivationLayer SIGMOID."""
    return _activation(x, "SIGMOID", "sigmoid")


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent. Layer: IActivationLayer TANH."""
    return _activation(x, "TANH", "tanh")


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, else negative_slope * x. Layer: IActivationLayer LEAKY_RELU."""
    return _activation(x, "LEAKY_RELU", "leaky_relu", {"alpha": negative_slope})


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else alpha * (exp(x) - 1). Layer: IActivationLayer ELU."""
    return _activation(x, "ELU", "elu", {"alpha": alpha})


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), Phi the normal distribution function; ``approximate="tanh"`` for its tanh form (Hendrycks, 2016).

    Layer: IActivationLayer GELU_ERF or GELU_TANH.
    """
    kinds = {"none": "GELU_ERF", "tanh": "GELU_TANH"}
    if approximate not in kinds:
        x.network.fail(f"gelu: approximate is 'none' or 'tanh', found {approximate!r}", {"x": x})
    return _activation(x, kinds[approximate], "gelu")


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    return mul(x, sigmoid(x))


def hardsigmoid(x: Tensor) -> Tensor:
    """min(max(x / 6 + 1 / 2, 0), 1). Layer: IActivationLayer HARD_SIGMOID."""
    return _activation(x, "HARD_SIGMOID", "hardsigmoid", {"alpha": 1 / 6, "beta": 0.5})


def hardswish(x: Tensor) -> Tensor:
    """x * hardsigmoid(x) (Howard et al., 2019)."""
    return mul(x, hardsigmoid(x))


def softmax(x: Tensor, dim: int) -> Tensor:
    """exp(x) over its sum along `dim`. Layer: ISoftMaxLayer."""
    mask = axes_mask((axis(x, dim, "softmax"),))
    hint = f"softmax does not take {x.dtype}"
    (y,) = x.network.add("softmax", {"input": x}, attributes={"axes": mask}, hint=hint, dims=[x.shape])
    return y


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """``x - max - log(sum(exp(x - max)))`` along `dim`, in float32, which is log(softmax(x)) without its underflow."""
    wide = cast(x, "float32")
    shifted = sub(wide, amax(wide, dim, keepdim=True))
    return cast(sub(shifted, log(sum(exp(shifted), dim, keepdim=True))), x.dtype)
