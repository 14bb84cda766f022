"""Activation functions and softmax; alpha and beta as TensorRT defines them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support.errors import ExecutionError

ACTIVATIONS: dict[str, Callable[[torch.Tensor, float, float], torch.Tensor]] = {
    "RELU": lambda x, a, b: x.relu(),
    "SIGMOID": lambda x, a, b: x.sigmoid(),
    "TANH": lambda x, a, b: x.tanh(),
    "LEAKY_RELU": lambda x, a, b: torch.where(x > 0, x, a * x),
    "ELU": lambda x, a, b: torch.where(x > 0, x, a * torch.expm1(x)),
    "SELU": lambda x, a, b: b * torch.where(x > 0, x, a * torch.expm1(x)),
    "SOFTSIGN": lambda x, a, b: x / (1 + x.abs()),
    "SOFTPLUS": lambda x, a, b: a * functional.softplus(b * x),
    "CLIP": lambda x, a, b: x.clamp(a, b),
    "HARD_SIGMOID": lambda x, a, b: (a * x + b).clamp(0, 1),
    "SCALED_TANH": lambda x, a, b: a * (b * x).tanh(),
    "THRESHOLDED_RELU": lambda x, a, b: torch.where(x > a, x, torch.zeros_like(x)),
    "GELU_ERF": lambda x, a, b: functional.gelu(x),
    "GELU_TANH": lambda x, a, b: functional.gelu(x, approximate="tanh"),
}


def activation(step: Step) -> list[torch.Tensor]:
    """A function of each element."""
    name = step.layer.type.name
    if name not in ACTIVATIONS:
        raise ExecutionError(f"{describe(step.layer)}: the reference does not execute activation {name}")
    return [ACTIVATIONS[name](step.x, step.layer.alpha, step.layer.beta)]


def parametric_relu(step: Step) -> list[torch.Tensor]:
    """x where it is positive, else slope * x."""
    return [torch.where(step.x > 0, step.x, step.input(1) * step.x)]


def softmax(step: Step) -> list[torch.Tensor]:
    """exp(x) over its sum along the axes of the mask."""
    x, mask = step.x, step.layer.axes
    axes = [axis for axis in range(x.ndim) if mask >> axis & 1]
    if x.numel() == 0:
        return [x]
    shifted = (x - x.amax(axes, keepdim=True)).exp()
    return [shifted / shifted.sum(axes, keepdim=True)]


def ragged_softmax(step: Step) -> list[torch.Tensor]:
    """Softmax of the first elements of each row, as many as input 1 says; 0 for the others."""
    x = step.x
    beyond = torch.arange(x.shape[-1]) >= step.input(1).long()
    return [x.masked_fill(beyond, float("-inf")).softmax(-1).masked_fill(beyond, 0.0)]


LAYERS: dict[str, LayerFunction] = {
    "ACTIVATION": activation,
    "PARAMETRIC_RELU": parametric_relu,
    "RAGGED_SOFTMAX": ragged_softmax,
    "SOFTMAX": softmax,
}
