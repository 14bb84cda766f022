"""A convolution of few channels as one of single pixels, whose channels are what lies under a window (im2col).

Kernels for tensor cores take eight or sixteen channels at a time, and an image has three. On an H200 at batch 32,
TensorRT-RTX 1.6.1 takes 169 us for HRNet's first convolution of 3x3 and stride 2, 148 us for RepVGG's and 144 us for
SqueezeNet's (float16), whose results alone are written in 11 us.
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.convolutions.rearrangement import CHANNELS, Array, Rearrangement, Sides, multiple, with_channels
from trtnet.ops.forms.convolutions.windows import Axis, axes_of, have_few_places
from trtnet.ops.formulations import form
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.pad import pad

Shape = tuple[int, ...]


def thin_has_windows(x: Tensor, kernel: Shape, padding: Sides, dilation: Shape) -> bool:
    """Whether windows of at most 64 places are on an image of known size, from which padding takes nothing away."""
    return _has_windows(x, kernel, (1,) * len(padding), padding, dilation)


def has_windows(x: Tensor, kernel: Shape, stride: Shape, padding: Sides) -> bool:
    """Whether windows of at most 64 places are on an image of known size, from which padding takes nothing away."""
    return _has_windows(x, kernel, stride, padding, (1,) * len(padding))


def _has_windows(x: Tensor, kernel: Shape, stride: Shape, padding: Sides, dilation: Shape) -> bool:
    known = all(isinstance(size, int) for size in x.shape[2:])
    return known and have_few_places(axes_of(x, kernel[2:], stride, padding, dilation))


@form("stem", "unfolded", applies=has_windows)
def unfolded(x: Tensor, kernel: Shape, stride: Shape, padding: Sides) -> Rearrangement:
    """The places of a window beside each other as channels, with zeros up to a multiple of sixteen.

    x: [batch, channels, *sizes]. kernel: its shape. padding: (before, after) of each axis.
    """
    return _unfolded(x, kernel, stride, padding, (1,) * len(padding))


@form("thin", "unfolded", applies=thin_has_windows)
def thin_unfolded(x: Tensor, kernel: Shape, padding: Sides, dilation: Shape) -> Rearrangement:
    """The same of a convolution of stride 1."""
    return _unfolded(x, kernel, (1,) * len(padding), padding, dilation)


def _unfolded(x: Tensor, kernel: Shape, stride: Shape, padding: Sides, dilation: Shape) -> Rearrangement:
    axes, window = axes_of(x, kernel[2:], stride, padding, dilation), kernel[2:]
    image = pad(x, [n for sides in reversed(padding) for n in sides]) if any(map(any, padding)) else x
    parts = [image[(slice(None), slice(None), *map(Axis.under, axes, place))] for place in product(*map(range, window))]
    channels = multiple(kernel[1] * prod(window), CHANNELS)
    missing = channels - kernel[1] * prod(window)
    columns = cat(parts, 1)
    filled = pad(columns, [*[0, 0] * len(window), 0, missing]) if missing else columns

    def moved(array: Array) -> Array:
        last = np.moveaxis(array, 1, -1).reshape(array.shape[0], -1, *(1,) * len(window))
        return with_channels(last, channels)

    return Rearrangement(filled, (1,) * len(window), moved, (1,) * len(window), ((0, 0),) * len(window))
