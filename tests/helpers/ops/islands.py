"""Functions in float32 between casts from and to 16 bits, of one layer with a constant that no 16 bits hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import trtnet
from trtnet import nn, ops

WIDTH = 16
SHAPE = (2, WIDTH, 8, 8)
LARGE = np.float32(123456.7)
"""A weight that no 16 bits hold: infinite in float16, rounded in bfloat16."""
RNG = np.random.default_rng(5)
MATRIX, KERNEL, DEPTHWISE = (
    RNG.standard_normal(shape).astype(np.float32) for shape in ((WIDTH, WIDTH), (WIDTH, WIDTH, 3, 3), (WIDTH, 1, 3, 3))
)
for weight in (MATRIX, KERNEL, DEPTHWISE):
    weight.flat[0] = LARGE
BIAS = RNG.standard_normal(WIDTH).astype(np.float32)
BIASES = BIAS.reshape(1, WIDTH, 1, 1)


def last(x: Any) -> Any:
    """The channels last."""
    return x.permute(0, 2, 3, 1)


ALONE: dict[str, Callable[[Any], Any]] = {
    "product": lambda x: ops.matmul(last(x), MATRIX),
    "product of rows": lambda x: ops.matmul(last(x).reshape(-1, WIDTH), MATRIX).reshape(-1, 8, WIDTH),
    "linear layer": lambda x: ops.linear(last(x), MATRIX),
    "product, times one": lambda x: ops.matmul(last(x), MATRIX) * np.float32(1),
    "product of what is times one": lambda x: ops.matmul(last(x * np.float32(1)), MATRIX),
    "einsum": lambda x: ops.einsum("bchw,cd->bdhw", x, MATRIX),
    "convolution": lambda x: ops.conv2d(x, KERNEL, BIAS),
    "convolution without bias": lambda x: ops.conv2d(x, KERNEL),
    "convolution plus its bias": lambda x: ops.conv2d(x, KERNEL) + BIASES,
    "convolution less its bias": lambda x: ops.conv2d(x, KERNEL) - BIASES,
    "convolution of what is times one": lambda x: ops.conv2d(x * np.float32(1), KERNEL),
    "depthwise convolution": lambda x: ops.conv2d(x, DEPTHWISE, BIAS, groups=WIDTH),
    "transposed convolution": lambda x: ops.conv_transpose2d(x, KERNEL, BIAS),
}


class Island(nn.Module):
    """A function of a tensor in float32, of what is cast from 16 bits, and the result cast to these."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def forward(self, x: Any) -> Any:
        return ops.cast(self.function(ops.cast(x, "float32")), x.dtype)


def defined(function: Callable[[Any], Any], dtype: str) -> Any:
    inputs = {"x": trtnet.Input(SHAPE, dtype)}
    return trtnet.define(Island(function), inputs, {}, dtype=dtype)


def inputs(dtype: str) -> Any:
    """Zeros where the large weight is."""
    x = np.random.default_rng(6).standard_normal(SHAPE)
    x[:, 0] = 0
    return x.astype(dtype)
