"""Blocks of pixels as channels without a slice for each pixel of a block."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from trtnet.graph import Shape, Tensor
from trtnet.ops.convolutions.conv import conv2d
from trtnet.ops.forms.convolutions.copying import MOST_CHANNELS
from trtnet.ops.forms.shapes.regrouping import gathered
from trtnet.ops.formulations import form
from trtnet.ops.shapes.merging import Merging
from trtnet.ops.shapes.regrouping import MOST
from trtnet.ops.shapes.shape import shuffle


@form("merging", "permute")
def permute(x: Tensor, at: Merging, parts: Sequence[Tensor]) -> Tensor:
    """IShuffleLayer: the image's axes apart, in another order, and together."""
    split, order = at.apart(x.shape)
    return shuffle(shuffle(x, shape=split, after=order), shape=_shape(x, at))


def _shape(x: Tensor, at: Merging) -> Shape:
    channels = x.shape[at.along] * at.step ** len(at.axes)
    sizes = [size // at.step if axis in at.axes else size for axis, size in enumerate(x.shape)]
    return (*sizes[: at.along], channels, *sizes[at.along + 1 :])


def is_channels_last(x: Tensor, at: Merging, parts: Sequence[Tensor]) -> bool:
    """Whether the channels are behind what is cut, and axes between the first one and them have known sizes."""
    sizes = [size for size in x.shape[1 : at.along] if isinstance(size, int)]
    behind = 0 not in at.axes and max(at.axes) < at.along
    return behind and len(sizes) == at.along - 1 and prod(sizes) <= MOST


@form("merging", "gather", applies=is_channels_last)
def gather(x: Tensor, at: Merging, parts: Sequence[Tensor]) -> Tensor:
    """IGatherLayer by the constant places of the pixels."""
    sizes = tuple(int(size) for size in x.shape[1 : at.along])
    split, order = at.apart((1, *sizes, *(1 for _ in x.shape[at.along :])))
    places = np.arange(prod(sizes), dtype=np.int32).reshape(split).transpose(order).reshape(-1)
    return gathered(x, x.shape[0], x.shape[at.along :], places, _shape(x, at))


def is_image(x: Tensor, at: Merging, parts: Sequence[Tensor]) -> bool:
    """Whether blocks of a floating image with a batch become up to 1024 channels, its second axis or its last."""
    channels = x.shape[at.along]
    few = isinstance(channels, int) and channels * at.step**2 <= MOST_CHANNELS
    return x.ndim == 4 and x.dtype.is_floating and few and (*sorted(at.axes), at.along) in ((1, 2, 3), (2, 3, 1))


@form("merging", "convolution", applies=is_image)
def convolution(x: Tensor, at: Merging, parts: Sequence[Tensor]) -> Tensor:
    """IConvolutionLayer with one 1 in each kernel, whose windows are the blocks."""
    last = at.along == 3
    channels, step = int(x.shape[at.along]), at.step
    kernel = np.eye(step * step * channels).reshape(-1, step, step, channels).transpose(0, 3, 1, 2)
    first, second = at.axes
    turned = kernel if first < second else kernel.swapaxes(2, 3)
    image = x.permute(0, 3, 1, 2) if last else x
    y = conv2d(image, np.ascontiguousarray(turned).astype(x.dtype.numpy), stride=step)
    return y.permute(0, 2, 3, 1) if last else y
