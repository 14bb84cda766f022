"""1x1 convolutions of images that may be products: the convolutions, and products whose rows are pixels.

These keep images with their channels last. PoolFormer's perceptrons are such convolutions. TensorRT-RTX makes products
of them whose results have their channels first; where the pixels are no multiple of 8 it reads one number at a time.
"""

from __future__ import annotations

from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.convolutions.columns import are_columns
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.formulations import form
from trtnet.ops.products.accumulation import product_with_weight
from trtnet.ops.products.linear import biased
from trtnet.ops.shapes.turned import CHANNELS_LAST, turn, turned


@form("pixelwise", "convolution")
def pixel_convolution(x: Tensor, weight: Constant, bias: Operand | None) -> Tensor:
    """IConvolutionLayer of [batch, channels, height, width]."""
    return convolution(x, weight, bias, 1, 0, 1, 1, rank=2)


def are_no_columns(x: Tensor, weight: Constant, bias: Operand | None) -> bool:
    """Whether the image is not kept with its channels before its batch."""
    return not are_columns(x)


@form("pixelwise", "product", applies=are_no_columns)
def pixel_rows(x: Tensor, weight: Constant, bias: Operand | None) -> Tensor:
    """The product, kept as [batch, height, width, out_channels]; activations and the next product of it are so, too."""
    out, channels = weight.shape[:2]
    y = product_with_weight(turn(x, CHANNELS_LAST), tensor(weight, x.network).reshape(out, channels), "TRANSPOSE")
    if isinstance(bias, Parameter):
        y = biased(y, bias, out, channels)
    elif bias is not None:
        y = add(y, bias)
    return turned(y, CHANNELS_LAST, joins=True)
