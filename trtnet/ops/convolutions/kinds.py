"""Kinds of convolutions that have several forms, and what makes a convolution one of them."""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Dim, Parameter, Tensor
from trtnet.ops.arguments.window_arguments import Padding, Window, spread
from trtnet.ops.convolutions.rearrangement import Rearrangement, Sides
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels
from trtnet.ops.shapes.turned import turning
from trtnet.support import backend

LOADED = 8
"""Kernels for tensor cores load so many channels at a time. An image has fewer."""

Shape = tuple[int, ...]
Constant = Parameter | np.ndarray


def rearranged(
    x: Tensor, kernel: Shape, stride: Shape, padding: Sides, dilation: Shape, groups: int
) -> Rearrangement | None:
    """A convolution with constant weights as another one, if its form is another; None if it stays as it is.

    x: [batch, channels, *sizes]. kernel: its shape, [out_channels, channels / groups, *window].
    """
    if groups > 1:
        return grouped(x, kernel, stride, padding, groups)
    if is_stem(x, kernel, stride, dilation):
        return stem(x, kernel, stride, padding)
    if is_thin(kernel, stride):
        return thin(x, kernel, padding, dilation)
    return None


def image_facts(x: Tensor, kernel: Shape, *_: object) -> dict[str, int]:
    """How many pixels are known, and channels made."""
    return {"pixels": pixels(x), "out_channels": kernel[0]}


def group_facts(x: Tensor, kernel: Shape, stride: Shape, padding: Sides, groups: int) -> dict[str, int]:
    """The same, the batch, and how many groups of how many channels."""
    return image_facts(x, kernel) | batch_facts(x) | {"groups": groups, "channels": kernel[1]}


def stem_facts(x: Tensor, kernel: Shape, stride: Shape, padding: Sides) -> dict[str, int]:
    """The same, the batch, the pixels of a window, and how many whole steps are in it, in the axis with the fewest."""
    steps = (window // step for window, step in zip(kernel[2:], stride, strict=True) if step > 1)
    return image_facts(x, kernel) | batch_facts(x) | {"steps": min(steps), "window": prod(kernel[2:])}


@formulated("stem", "convolution", facts=stem_facts)
def stem(x: Tensor, kernel: Shape, stride: Shape, padding: Sides) -> Rearrangement | None:
    """A strided convolution of an image of few channels."""
    return None


@formulated("thin", "convolution", facts=image_facts)
def thin(x: Tensor, kernel: Shape, padding: Sides, dilation: Shape) -> Rearrangement | None:
    """A convolution of stride 1 of few channels."""
    return None


def is_right(x: Tensor, kernel: Shape, stride: Shape, padding: Sides, groups: int) -> bool:
    """Whether TensorRT computes these groups right.

    TensorRT-RTX 1.6.1 on an H200 computes 16-bit groups of eight channels wrong where a size is dynamic: for 208
    channels; 256 are right, and so are groups of 4 and of 16 (tests/gpu/test_gpu_convolutions.py).
    """
    is_dynamic = any(isinstance(size, Dim) for size in x.shape)
    is_hit = backend.name() == "tensorrt_rtx" and x.dtype.bits == 16 and is_dynamic
    return not is_hit or kernel[1] != 8 or groups * kernel[1] % 64 == 0


@formulated("grouped", "convolution", facts=group_facts, applies=is_right)
def grouped(x: Tensor, kernel: Shape, stride: Shape, padding: Sides, groups: int) -> Rearrangement | None:
    """A convolution in groups of channels."""
    return None


def is_stem(x: Tensor, kernel: Shape, stride: Shape, dilation: Shape) -> bool:
    """Whether windows that are longer than their steps overlap, on few channels, in axes of known sizes."""
    return (
        kernel[1] < LOADED
        and max(stride) > 1
        and set(dilation) == {1}
        and all(isinstance(n, int) for n in x.shape[2:])
        and all(window > step for window, step in zip(kernel[2:], stride, strict=True) if step > 1)
    )


def is_thin(kernel: Shape, stride: Shape) -> bool:
    """Whether it is a convolution of stride 1 and windows of several pixels, on few channels."""
    return set(stride) == {1} and max(kernel[2:]) > 1 and 1 < kernel[1] < LOADED


def are_patches(x: Tensor, weight: Constant, stride: Window, padding: Padding, dilation: Window, groups: int) -> bool:
    """Whether windows of a 2-D convolution cut an image of known size into patches."""
    if x.ndim != 4 or len(weight.shape) != 4 or x.shape[1] != weight.shape[1] or groups != 1:
        return False
    window, size = tuple(weight.shape[2:]), tuple(x.shape[2:])
    return (
        min(window) > 1
        and spread(stride, 2) == window
        and padding in (0, (0, 0), [0, 0])
        and spread(dilation, 2) == (1, 1)
        and all(isinstance(n, int) and n % k == 0 for n, k in zip(size, window, strict=True))
        and x.network.weight(weight).dtype == x.dtype
    )


def is_depthwise(x: Tensor, weight: Constant, padding: Padding, groups: int) -> bool:
    """Whether a 2-D convolution of a known size makes each channel of one, with as many results as channels."""
    return (
        x.ndim == 4
        and len(weight.shape) == 4
        and tuple(weight.shape[:2]) == (groups, 1)
        and x.shape[1] == groups > 1
        and not isinstance(padding, str)
        and all(isinstance(n, int) for n in x.shape[2:])
        and x.network.weight(weight).dtype == x.dtype
    )


def is_pixelwise(
    x: Tensor, weight: Constant, bias: object | None, stride: Window, padding: Padding, groups: int
) -> bool:
    """Whether it is a 1x1 convolution of stride 1 that may be a product.

    That is one with a bias, behind which there is no batch norm as a rule, which goes into a convolution alone; and one
    of an image that a form keeps with its axes in another order.
    """
    return (
        (bias is not None or turning(x) is not None)
        and x.ndim == len(weight.shape) == 4
        and groups == 1
        and tuple(weight.shape[1:]) == (x.shape[1], 1, 1)
        and spread(stride, 2) == (1, 1)
        and padding in (0, (0, 0), [0, 0], [(0, 0), (0, 0)])
        and x.network.weight(weight).dtype == x.dtype
    )


def is_single_pixel(x: Tensor, weight: Constant, padding: object, groups: int) -> bool:
    """Whether the image is one pixel and so is the window."""
    ones = (1,) * (len(weight.shape) - 2)
    return (
        x.ndim == len(weight.shape)
        and len(ones) > 1
        and groups == 1
        and tuple(x.shape[2:]) == ones
        and tuple(weight.shape[2:]) == ones
        and x.shape[1] == weight.shape[1]
        and padding in (0, (0,) * len(ones), [0] * len(ones), [(0, 0)] * len(ones))
        and x.network.weight(weight).dtype == x.dtype
    )
