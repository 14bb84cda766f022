"""A product of many rows as a 1x1 convolution, whose rows are pixels.

ConvNeXt's and Swin's linear layers are of images whose channels are last, as kernels have them inside anyway; behind
convolutions TensorRT can fuse other operations than behind products. What PVTv2's linear layers make are images of
depthwise convolutions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.formulations import form
from trtnet.support.arrays import values


def has_pixels(x: Tensor, weight: Parameter) -> bool:
    """Whether it is of [batch, rows, features] or [batch, height, width, features]."""
    return x.ndim in (3, 4)


@form("product", "convolution", applies=has_pixels)
def as_convolution(x: Tensor, weight: Parameter) -> Tensor:
    """IConvolutionLayer of [batch, features, height, width]. The weight, which has got two axes more, has no name."""
    image = x.unsqueeze(2) if x.ndim == 3 else x
    y = _convolved(image, weight, None).permute(0, 2, 3, 1)
    return y.squeeze(2) if x.ndim == 3 else y


@form("linear_image", "convolution")
def image_as_convolution(x: Tensor, base: Tensor, rows: Tensor, weight: Constant, bias: Constant | None) -> Tensor:
    """A linear layer whose result is an image as the convolution of one, which adds the bias itself.

    TensorRT-RTX has a kernel that writes the image anew between a product and a convolution, and adds the bias there:
    on an H200 PVTv2-B0 at batch 32 has eight such kernels, 114 us of 1,163 in float16. It drops the product, which the
    network keeps for what else reads it.
    """
    batch, _, height, width = x.shape
    image = rows.reshape(batch, height, width, rows.shape[-1])
    with x.network.at(x.network.places[x.network.maker(base).name]):
        y = _convolved(image, weight, bias)
    x.network.aside.append(base)
    return y


def _convolved(x: Tensor, weight: Constant, bias: Constant | None) -> Tensor:
    """[batch, out_features, height, width] of x [batch, height, width, features]."""
    kernel = _array(x, weight)[:, :, None, None]
    offsets = None if bias is None else _array(x, bias)
    y = convolution(x.permute(0, 3, 1, 2), kernel, offsets, 1, 0, 1, 1, rank=2)
    x.network.division.note([x.network.weight(weight)], [y])
    return y


def _array(x: Tensor, weight: Constant) -> np.ndarray[Any, Any]:
    """Values in the dtype of `x`."""
    array = x.network.array(weight) if isinstance(weight, Parameter) else values(weight)
    return np.asarray(array).astype(x.dtype.numpy)
