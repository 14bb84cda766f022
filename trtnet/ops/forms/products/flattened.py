"""The product of an image whose elements are one axis, with its channels last, as TensorRT keeps images of float16.

Their order in the model, channels first, is written before a product by a kernel of its own (VGG-16 at batch 32: 4.8 us
on an H200), and a reduction of one row that reads the image has to read one number at a time.
"""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.ops.formulations import form
from trtnet.support.arrays import values


@form("flattened", "channels_last")
def channels_last(x: Tensor, weight: Parameter, image: Tensor) -> tuple[Tensor, np.ndarray]:
    """The columns of the weight, which has no name then, in the order of the elements."""
    network, (channels, *sizes) = x.network, (int(size) for size in image.shape[1:])
    own = network.weight(weight)
    if own.key:
        network.folded.add(own.key)
    columns = values(own.array).reshape(-1, channels, prod(sizes)).swapaxes(1, 2).reshape(-1, channels * prod(sizes))
    pixels = image.permute(0, *range(2, image.ndim), 1)
    return pixels.reshape(image.shape[0], channels * prod(sizes)), np.ascontiguousarray(columns)
