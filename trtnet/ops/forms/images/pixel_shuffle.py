"""Channels as pixels and pixels as channels without a permutation: convolutions that copy, and slices.

A convolution before a pixel shuffle makes the pixels itself, as a transposed convolution. Source: Shi et al., 2016,
arXiv:1609.07009.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.shapes import constant
from trtnet.ops.convolutions.batch_norm_folding import Convolution, array_of
from trtnet.ops.convolutions.conv import conv2d
from trtnet.ops.convolutions.conv_transpose import conv_transpose2d, has_deconvolution
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.forms.convolutions.copying import MOST_CHANNELS
from trtnet.ops.formulations import form
from trtnet.ops.shapes.joining import stack
from trtnet.ops.shapes.slicing import Cut, cut


def is_transposed(x: Tensor, r: int) -> bool:
    """Whether x is a floating image of up to 1024 channels, with a batch, in a dtype of transposed convolutions."""
    return _is_floating_image(x) and int(x.shape[1]) <= MOST_CHANNELS and has_deconvolution(x, r, 1, 2)


def _is_floating_image(x: Tensor) -> bool:
    return x.ndim == 4 and x.dtype.is_floating and isinstance(x.shape[1], int)


@form("pixel_shuffle", "transposed", applies=is_transposed)
def transposed(x: Tensor, r: int) -> Tensor:
    """IDeconvolutionLayer with one 1 in each kernel."""
    return conv_transpose2d(x, _ones(int(x.shape[1]) // (r * r), r).astype(x.dtype.numpy), stride=r)


def _ones(channels: int, r: int) -> np.ndarray[Any, Any]:
    """[channels r^2, channels, r, r]: 1 where an element of a block of a channel is, as its own channel."""
    return np.eye(channels * r * r).reshape(channels * r * r, channels, r, r)


def is_of_a_convolution(x: Tensor, r: int) -> bool:
    """Whether x is the result of a plain convolution of stride 1, which nothing has read before.

    Plain: without dilation and groups, padded on both sides alike and by less than its window. TensorRT must have
    transposed convolutions of the dtype.
    """
    pending = x.current
    if not isinstance(pending, PendingLayer) or not pending.is_free or not isinstance(pending.offer, Convolution):
        return False
    at = pending.offer.geometry
    if x.ndim != 4 or at is None or at.groups != 1 or {*at.stride, *at.dilation} != {1}:
        return False
    window = pending.offer.kernel.shape[2:]
    fits = all(low == high < size for (low, high), size in zip(at.padding, window, strict=True))
    return fits and has_deconvolution(x, r, 1, 2)


@form("pixel_shuffle", "merged", applies=is_of_a_convolution)
def merged(x: Tensor, r: int) -> Tensor:
    """The convolution and the shuffle as one IDeconvolutionLayer with the same weights in other places.

    Where the biases of a pixel differ, they are added to the result.
    """
    pending = x.current
    assert isinstance(pending, PendingLayer)
    convolution: Convolution = pending.offer
    at = convolution.geometry
    assert at is not None
    narrow, kernel = x.dtype.numpy, array_of(x, convolution.kernel)
    channels, (high, wide) = kernel.shape[0] // (r * r), kernel.shape[2:]
    mirrored = kernel[:, :, ::-1, ::-1].reshape(channels, r, r, -1, high, wide)
    moved = mirrored.transpose(3, 0, 4, 1, 5, 2).reshape(-1, channels, high * r, wide * r)
    crops = tuple(r * (size - 1 - side[0]) for size, side in zip((high, wide), at.padding, strict=True))
    bias = np.zeros(kernel.shape[0]) if convolution.bias is None else array_of(x, convolution.bias)
    blocks = bias.reshape(channels, r * r)
    same = bool((blocks == blocks[:, :1]).all())
    own = blocks[:, 0].astype(narrow) if same and blocks.any() else None
    with x.network.at(convolution.place):
        y = conv_transpose2d(at.image, moved.astype(narrow), own, stride=r, padding=crops)
    pending.take(PendingLayer(y.trt, convolution.made_by(y), lambda: None, lambda _: y.trt), x.network.path)
    convolution.leave(x.network)
    if same:
        return y
    apart = y.reshape(*y.shape[:2], x.shape[2], r, x.shape[3], r)
    offsets = constant(x.network, blocks.reshape(1, channels, 1, r, 1, r).astype(narrow))
    return add(apart, offsets).reshape(y.shape)


def is_copied(x: Tensor, r: int) -> bool:
    """Whether x is a floating image with a batch that becomes up to 1024 channels."""
    return _is_floating_image(x) and int(x.shape[1]) * r * r <= MOST_CHANNELS


@form("pixel_unshuffle", "convolution", applies=is_copied)
def convolution(x: Tensor, r: int) -> Tensor:
    """IConvolutionLayer with one 1 in each kernel."""
    return conv2d(x, _ones(int(x.shape[1]), r).astype(x.dtype.numpy), stride=r)


@form("pixel_unshuffle", "slices")
def slices(x: Tensor, r: int) -> Tensor:
    """ISliceLayer with steps for each pixel of a block, and IConcatenationLayer."""
    *lead, channels, height, width = x.shape
    n = len(lead)
    parts = [cut(x, {n + 1: Cut(i, height // r, r), n + 2: Cut(j, width // r, r)}) for i in range(r) for j in range(r)]
    return stack(parts, n + 1).reshape(*lead, channels * r * r, height // r, width // r)
