"""Images of convolutions that are results of linear layers, as PVTv2 has them in its perceptrons."""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels
from trtnet.ops.products.parts import sizes, viewed, whole
from trtnet.ops.quantization.weights import quantized


def linear_image(x: Tensor) -> Tensor:
    """The image `x`, by other layers where it is the result of a linear layer as an image and its form is another."""
    if x.ndim != 4 or x.storage.serial not in x.network.linear or x.storage.version:
        return x
    rows, weight, bias = x.network.linear[x.storage.serial]
    base, _ = whole(x)
    is_float = x.network.quantized.watched is None and quantized(x.network, weight) is None
    is_layer = isinstance(weight, Parameter | np.ndarray) and isinstance(bias, Parameter | np.ndarray | None)
    if not is_float or not is_layer or x.network.division.is_sum(weight) or not _has_pixels(x, base):
        return x
    return _image(x, base, rows, weight, bias)


def _has_pixels(x: Tensor, base: Tensor) -> bool:
    """Whether the features of an image are the last axis of `base`, and its pixels, of known sizes, what is before."""
    if not all(isinstance(n, int) for n in x.shape[1:]) or prod(map(int, x.shape[1:])) == 0:
        return False
    shape = sizes(base, base.shape)
    views = whole(x)[1]
    array = None if shape is None else np.empty(shape, np.int8)
    image = None if array is None else viewed(array, base, views)
    if array is None or image is None or image.ndim != 4:
        return False
    last = image.transpose(0, 2, 3, 1)
    return last.size == array.size and last.ctypes.data == array.ctypes.data and last.flags.c_contiguous


def linear_facts(x: Tensor, base: Tensor, rows: Tensor, weight: Constant, *_: object) -> dict[str, int]:
    """The batch, how many pixels, of how many channels, and how many of these are read."""
    channels = {"channels": int(weight.shape[1]), "out_channels": int(weight.shape[0])}
    return batch_facts(x) | {"pixels": pixels(x)} | channels


@formulated("linear_image", "product", facts=linear_facts)
def _image(x: Tensor, base: Tensor, rows: Tensor, weight: Constant, bias: Constant | None) -> Tensor:
    """`x` [batch, features, height, width], which the linear layer makes: `base`, of `rows`, in this shape."""
    return x
