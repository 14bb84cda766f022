"""A 1x1 convolution of a single pixel, as the matrix product that it is.

Squeeze and excitation are two of them behind a global mean. On an H200, TensorRT-RTX 1.6 takes 62 us for two such
blocks as convolutions and 47 us as products (batch 32, 240 channels, float16). The first is of many channels for few,
two blocks of a kernel at batch 32 and 48 channels; in parts it is more, and the activation behind it, which TensorRT
does not fuse with a product, adds them.
"""

from __future__ import annotations

from collections.abc import Callable

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.forms.in_parts import in_parts
from trtnet.ops.forms.products.split_sums import in_features, product_in_parts
from trtnet.ops.formulations import form
from trtnet.ops.products.matmul import matmul


@form("pointwise", "product")
def pixel_product(x: Tensor, weight: Constant, bias: Operand | None) -> Tensor:
    """The product, and the bias. x: [batch, channels, 1, 1]. Returns [batch, out_channels, 1, 1]."""
    return _by(lambda rows, matrix: matmul(rows, matrix.mT), x, weight, bias)


@in_parts("pointwise", "halves", "quarters", "eighths", terms=in_features)
def parts_of_pixel_product(parts: int, x: Tensor, weight: Constant, bias: Operand | None) -> Tensor:
    """Products of two, four or eight parts of the channels, and their sum."""
    return _by(lambda rows, matrix: product_in_parts(rows, matrix, parts), x, weight, bias)


def _by(multiply: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Constant, bias: Operand | None) -> Tensor:
    """multiply: vectors [batch, channels] with a matrix [out_channels, channels]."""
    out, channels = weight.shape[:2]
    y = multiply(x.flatten(1), tensor(weight, x.network).reshape(out, channels))
    if bias is not None:
        y = add(y, bias)
    return y.reshape(x.shape[0], out, *(1 for _ in weight.shape[2:]))
