"""The mean of all pixels as a pooling, and as a product."""

from __future__ import annotations

from math import log2, prod

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.formulations import form
from trtnet.ops.pooling.pool import avg_pool
from trtnet.ops.products.matmul import matmul


def is_known(x: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether the image is of a known size, not empty."""
    return all(isinstance(x.shape[axis], int) and x.shape[axis] for axis in axes)


@form("global_mean", "pool", applies=is_known)
def pool(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """IPoolingLayer AVERAGE of one window."""
    window = tuple(int(x.shape[axis]) for axis in axes)
    return avg_pool(x, window, None, 0, False, True, None, len(axes))


@form("global_mean", "product", applies=is_known)
def product(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """IMatrixMultiplyLayer with a column of the power of two that is nearest to one over the number, and the rest after
    it: 16 bits hold both exactly enough."""
    count = prod(int(x.shape[axis]) for axis in axes)
    power = 2.0 ** -round(log2(count))
    column = constant(x.network, np.full((count, 1), power, np.float32).astype(x.dtype.numpy))
    y = matmul(x.reshape(*x.shape[: axes[0]], count), column)
    return mul(y, 1 / (count * power)).reshape(*x.shape[: axes[0]], *(1 for _ in axes))
