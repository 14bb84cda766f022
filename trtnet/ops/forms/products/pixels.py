"""A product of many rows as a 1x1 convolution, whose rows are pixels.

ConvNeXt's and Swin's linear layers are of images whose channels are last, as kernels have them inside anyway; behind
convolutions TensorRT can fuse other operations than behind products.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.formulations import form
from trtnet.support.arrays import values


def has_pixels(x: Tensor, weight: Parameter) -> bool:
    """Whether it is of [batch, rows, features] or [batch, height, width, features]."""
    return x.ndim in (3, 4)


@form("product", "convolution", applies=has_pixels)
def as_convolution(x: Tensor, weight: Parameter) -> Tensor:
    """IConvolutionLayer of [batch, features, height, width]. The weight, which has got two axes more, has no name."""
    array = x.network.array(weight) if isinstance(weight, Parameter) else values(weight)
    kernel = np.asarray(array).astype(x.dtype.numpy)[:, :, None, None]
    image = x.unsqueeze(2) if x.ndim == 3 else x
    pixels = convolution(image.permute(0, 3, 1, 2), kernel, None, 1, 0, 1, 1, rank=2)
    x.network.division.note([x.network.weight(weight)], [pixels])
    y = pixels.permute(0, 2, 3, 1)
    return y.squeeze(2) if x.ndim == 3 else y
