"""Reductions of axes of a few elements, which TensorRT writes out as slices."""

from __future__ import annotations

import functools

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.elementwise.layers import cast, layer
from trtnet.ops.indexing.gather import single
from trtnet.support import backend
from trtnet.support.dtypes import float32

FEW = 7
"""The most elements of an axis that TensorRT-RTX 1.6.1 is taken to write out: it does of 6, not of 8."""


def is_computed_wrong(x: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether TensorRT would compute it wrong in the kernel of a later reduction of another axis.

    TensorRT-RTX 1.6.1 on an H200 does in engines of fixed shapes, also of named sizes that are built with one value:
    ``(x - x.mean(1, keepdim=True)).mean(3)`` of three channels has a relative error of 0.5, in float32 and float16,
    since it reads the first of the slices as the whole tensor; so have softmax, sums and maxima of two to six elements
    before means, norms and softmax. The texts of 1.7.1's kernels do the same. Elements that are gathered are right:
    tests/gpu/test_gpu_small_axes.py. A named axis is left as it is, though TensorRT may build it with so few.
    """
    if backend.name() != "tensorrt_rtx" or len(axes) != 1 or x.ndim < 2:
        return False
    size = x.shape[axes[0]]
    return isinstance(size, int) and 1 < size <= FEW


def of_elements(x: Tensor, along: int, keepdim: bool, kind: str, name: str) -> Tensor:
    """A reduction of axis `along`, which is then of size 1, or gone, by a gather for each of its elements.

    Gathers are read as such whatever is computed with them, and the kernel of what is around takes them in, as it does
    slices. The axis goes by ISqueezeLayer, which names no other sizes: those of merged weights grow. Sums and products
    of 16 bits are in float32, as those of IReduceLayer.
    kind: of TensorRT's ``ReduceOperation``.
    """
    size, operation = x.shape[along], "SUM" if kind == "AVG" else kind
    assert isinstance(size, int)
    wide = cast(x, float32) if x.dtype.is_floating and operation in ("SUM", "PROD") else x
    elements = [single(wide, index, along) for index in range(size)]
    y = functools.reduce(lambda one, other: layer(operation, one, other, name, wide.dtype), elements)
    y = cast(layer("DIV", y, size, name, wide.dtype) if kind == "AVG" else y, x.dtype)
    if not keepdim:
        arguments = {"input": y, "axes": constant(x.network, np.array([along], np.int64))}
        (y,) = x.network.add("squeeze", arguments, name=name, dims=[(*x.shape[:along], *x.shape[along + 1 :])])
    return y
