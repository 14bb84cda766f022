"""A linear layer whose result is the image of a convolution, as a 1x1 convolution, which adds its bias itself.

TensorRT-RTX has a kernel that writes the image anew between a product and a convolution, and adds the bias there.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.formulations import form
from trtnet.support.arrays import values


@form("linear_image", "convolution")
def as_convolution(x: Tensor, base: Tensor, rows: Tensor, weight: Constant, bias: Constant | None) -> Tensor:
    """IConvolutionLayer of [batch, features, height, width]. Its weights have no names; TensorRT drops the product.

    On an H200 PVTv2-B0 at batch 32 has four kernels of 75 us in float16 that write images anew, and none so.
    """
    network = x.network
    batch, _, height, width = x.shape
    image = rows.reshape(batch, height, width, rows.shape[-1]).permute(0, 3, 1, 2)
    kernel = _array(x, weight)[:, :, None, None]
    with network.at(network.places[network.maker(base).name]):
        y = convolution(image, kernel, None if bias is None else _array(x, bias), 1, 0, 1, 1, rank=2)
    network.division.note([network.weight(weight)], [y])
    if base.storage.body is None:
        network.aside.append(base)
    return y


def _array(x: Tensor, weight: Constant) -> np.ndarray:
    """Its values in the dtype of `x`."""
    array = x.network.array(weight) if isinstance(weight, Parameter) else values(weight)
    return np.asarray(array).astype(x.dtype.numpy)
