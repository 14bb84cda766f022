"""Each pixel several times, without IResizeLayer."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.ops.convolutions.conv_transpose import conv_transpose2d
from trtnet.ops.formulations import form


@form("upsampling", "expand")
def expand(x: Tensor, counts: tuple[int, ...], new: tuple[Size, ...]) -> Tensor:
    """A further axis of as many copies behind each axis, then one axis of both."""
    lead, sizes = x.shape[:2], x.shape[2:]
    apart = [part for size in sizes for part in (size, 1)]
    wide = [part for size, count in zip(sizes, counts, strict=True) for part in (size, count)]
    return x.reshape(*lead, *apart).expand(*lead, *wide).reshape(*lead, *new)


def has_known_channels(x: Tensor, counts: tuple[int, ...], new: tuple[Size, ...]) -> bool:
    """Whether it is an image of a known number of channels."""
    return x.ndim == 4 and isinstance(x.shape[1], int)


@form("upsampling", "transposed", applies=has_known_channels)
def transposed(x: Tensor, counts: tuple[int, ...], new: tuple[Size, ...]) -> Tensor:
    """A transposed convolution of each channel with a kernel of ones."""
    channels = int(x.shape[1])
    ones = np.ones((channels, 1, *counts), np.float32).astype(x.dtype.numpy)
    return conv_transpose2d(x, ones, stride=counts, groups=channels)
