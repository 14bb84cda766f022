"""Reductions of axes of a few elements, which TensorRT writes out as slices."""

from __future__ import annotations

from collections.abc import Callable

from trtnet.graph import Shape, Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.shapes.shape import permute, reshape
from trtnet.support import backend

FEW = 7
"""The most elements of an axis that TensorRT-RTX 1.6.1 is taken to write out: it does of 4, not of 8."""


def is_computed_wrong(x: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether TensorRT would compute it wrong in the kernel of a later reduction of another axis.

    TensorRT-RTX 1.6.1 on an H200 does in engines of fixed shapes: ``(x - x.mean(1, keepdim=True)).mean(3)`` of three
    channels has a relative error of 0.5, in float32 and float16; so have softmax, sums and maxima of two to four
    channels before means, norms and softmax. Along the last axis they are right. tests/gpu/test_gpu_small_axes.py.
    """
    if backend.name() != "tensorrt_rtx" or len(axes) != 1 or not is_static(x.shape):
        return False
    size = x.shape[axes[0]]
    return axes[0] < x.ndim - 1 and isinstance(size, int) and 1 < size <= FEW


def along_the_last(function: Callable[[Tensor], Tensor], x: Tensor, along: int, shape: Shape) -> Tensor:
    """A reduction of the last axis of a tensor whose axis `along` is there, as a result of this shape."""
    return reshape(function(permute(x, _turned(x, along))), shape)


def turned(function: Callable[[Tensor], Tensor], x: Tensor, along: int) -> Tensor:
    """A function of the last axis of a tensor whose axis `along` is there, which it keeps."""
    order = _turned(x, along)
    return permute(function(permute(x, order)), [order.index(axis) for axis in range(x.ndim)])


def _turned(x: Tensor, along: int) -> list[int]:
    return [*(axis for axis in range(x.ndim) if axis != along), along]
