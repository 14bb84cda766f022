"""The mean of all pixels in two steps, of other axes, as a pooling, and as a product.

TensorRT-RTX 1.6 reduces both axes of an image slowly if it fuses an activation with them: squeeze and excitation of 96
channels of 56 x 56 pixels behind a SiLU take 190 us at batch 32 on an H200, 97 us with `windows`.
"""

from __future__ import annotations

from math import log2, prod

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.formulations import form
from trtnet.ops.pooling.pool import avg_pool
from trtnet.ops.products.matmul import matmul
from trtnet.ops.reductions.reduce import mean_layer
from trtnet.ops.shapes.shape import squeeze

Axes = tuple[int, ...]

WIDEST = 7
"""The most pixels of a window in each axis."""


def is_known(x: Tensor, axes: Axes, keepdim: bool) -> bool:
    """Whether the image is of a known size."""
    return all(isinstance(x.shape[axis], int) for axis in axes)


@form("global_mean", "pool", applies=is_known)
def pool(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    """IPoolingLayer AVERAGE of one window."""
    y = _pooled(x, _sizes(x, axes))
    return y if keepdim else squeeze(y, axes)


@form("global_mean", "windows", applies=is_known)
def windows(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    """IPoolingLayer AVERAGE of windows of up to seven pixels in each axis, which divide the image, and their mean."""
    window = (max(n for n in range(1, WIDEST + 1) if size % n == 0) for size in _sizes(x, axes))
    return mean_layer(_pooled(x, tuple(window)), axes, keepdim)


@form("global_mean", "lines", applies=is_known)
def lines(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    """IPoolingLayer AVERAGE of the last axis, and the mean of what is left."""
    return mean_layer(_pooled(x, (*(1 for _ in axes[1:]), _sizes(x, axes)[-1])), axes, keepdim)


@form("global_mean", "flat")
def flat(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    """IReduceLayer AVG of [batch, channels, pixels]."""
    return _whole(mean_layer(x.flatten(2), (2,), keepdim=False), axes, keepdim)


@form("global_mean", "channels_last")
def channels_last(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    """IReduceLayer AVG of [batch, pixels, channels]."""
    return _whole(mean_layer(x.flatten(2).mT, (1,), keepdim=False), axes, keepdim)


@form("global_mean", "product", applies=is_known)
def product(x: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    """IMatrixMultiplyLayer with a column of the power of two that is nearest to one over the number, and the rest after
    it: 16 bits hold both exactly enough."""
    count = prod(_sizes(x, axes))
    power = 2.0 ** -round(log2(count))
    column = constant(x.network, np.full((count, 1), power, np.float32).astype(x.dtype.numpy))
    y = matmul(x.reshape(*x.shape[:2], count), column)
    return _whole(mul(y, 1 / (count * power)), axes, keepdim)


def _sizes(x: Tensor, axes: Axes) -> tuple[int, ...]:
    return tuple(int(x.shape[axis]) for axis in axes)


def _pooled(x: Tensor, window: tuple[int, ...]) -> Tensor:
    return avg_pool(x, window, None, 0, False, True, None, len(window))


def _whole(means: Tensor, axes: Axes, keepdim: bool) -> Tensor:
    """Of [batch, channels] or [batch, channels, 1]."""
    batch, channels = means.shape[:2]
    return means.reshape(batch, channels, *(1 for _ in axes if keepdim))
