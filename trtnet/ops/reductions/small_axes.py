"""Reductions of axes of a few elements, which TensorRT writes out as slices."""

from __future__ import annotations

from collections.abc import Callable

from trtnet.graph import Shape, Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.shapes.shape import permute, reshape
from trtnet.support import backend

FEW = 7
"""The most elements of an axis that TensorRT-RTX 1.6.1 is taken to write out: it does of 6, not of 8."""


def is_computed_wrong(x: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether TensorRT would compute it wrong in the kernel of a later reduction of another axis.

    TensorRT-RTX 1.6.1 on an H200 does in engines of fixed shapes: ``(x - x.mean(1, keepdim=True)).mean(3)`` of three
    channels has a relative error of 0.5, in float32 and float16, since it reads the first of the slices as the whole
    tensor; so have softmax, sums and maxima of two to six elements before means, norms and softmax. Behind a
    permutation they are right. tests/gpu/test_gpu_small_axes.py.
    """
    if backend.name() != "tensorrt_rtx" or len(axes) != 1 or x.ndim < 2 or not is_static(x.shape):
        return False
    size = x.shape[axes[0]]
    return isinstance(size, int) and 1 < size <= FEW


def reduced(function: Callable[[Tensor, int], Tensor], x: Tensor, along: int, shape: Shape) -> Tensor:
    """A reduction of axis `along` behind a permutation, as a result of this shape. function: takes its new place."""
    order, place = _turned(x, along)
    return reshape(function(permute(x, order), place), shape)


def turned(function: Callable[[Tensor, int], Tensor], x: Tensor, along: int) -> Tensor:
    """A function along axis `along`, which it keeps, between permutations. function: takes its new place."""
    order, place = _turned(x, along)
    return permute(function(permute(x, order), place), [order.index(axis) for axis in range(x.ndim)])


def _turned(x: Tensor, along: int) -> tuple[list[int], int]:
    """(axes with `along` as the last one, or as the first one if it is the last, where it is then)."""
    others, last = [axis for axis in range(x.ndim) if axis != along], x.ndim - 1
    return ([along, *others], 0) if along == last else ([*others, along], last)
