"""One row times the weight of a layer, without IMatrixMultiplyLayer of one row.

On an H200, TensorRT-RTX 1.6 takes 1.9 us for 896 -> 1152 as a product, 1.2 with eight rows, 0.7 as a reduction.
"""

from __future__ import annotations

from math import prod

from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.elementwise.layers import plain_layer
from trtnet.ops.formulations import form
from trtnet.ops.products.accumulation import product_with_weight
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.shapes.first_parts import sliced
from trtnet.ops.shapes.pad import pad

ROWS = 8
"""Kernels for tensor cores take as many at a time."""


@form("row", "reduction")
def reduction(x: Tensor, weight: Parameter) -> Tensor:
    """A sum of elementwise products."""
    return summed(x, weight)


def summed(x: Tensor, weight: Operand) -> Tensor:
    """[1, ..., in_features] times a matrix, as a sum of elementwise products.

    A class token that is the row is a slice, as it is in a product: of what is gathered (trtnet.ops.shapes.first_parts)
    a thread of TensorRT-RTX reads one number at a time, and eight of a slice.
    """
    return sum(plain_layer("PROD", x.unsqueeze(-2), weight, "mul", x.dtype), -1)


@form("row", "padded")
def padded(x: Tensor, weight: Parameter) -> Tensor:
    """A product with seven rows of zeros."""
    return without_rows(product_with_weight(with_rows(x, ROWS), weight, "TRANSPOSE"), x)


def rows_of(x: Tensor) -> int:
    """How many vectors a tensor [..., features] of known sizes has."""
    return prod(int(size) for size in x.shape[:-1])


def with_rows(x: Tensor, block: int) -> Tensor:
    """[..., features] above rows of zeros: [a multiple of `block`, features]."""
    rows = rows_of(x)
    return pad(x.reshape(rows, x.shape[-1]), (0, 0, 0, -rows % block))


def without_rows(y: Tensor, x: Tensor) -> Tensor:
    """The results for the rows of `x`, which come first: [rows and more, out_features] -> [..., out_features]."""
    return sliced(y, 0, 0, rows_of(x)).reshape(*x.shape[:-1], y.shape[-1])
