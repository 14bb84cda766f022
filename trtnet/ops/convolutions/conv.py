"""Convolutions, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.memory.pending import Placeholders
from trtnet.ops.arguments.window_arguments import (
    Padding,
    Window,
    geometry,
    in_numbers,
    kept,
    lift,
    padding_attributes,
    pairs,
)
from trtnet.ops.convolutions.batch_norm_folding import Convolution, Geometry, offered
from trtnet.ops.convolutions.columns import BATCH_SECOND, are_columns, columns
from trtnet.ops.convolutions.kinds import are_patches, is_depthwise, is_pixelwise, is_single_pixel, rearranged
from trtnet.ops.convolutions.linear_images import linear_image
from trtnet.ops.convolutions.rearrangement import Rearrangement
from trtnet.ops.convolutions.sums import plus
from trtnet.ops.convolutions.weights import ConvolutionWeights, Kernel, mismatch
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels
from trtnet.ops.normalization.behind import of_pixels
from trtnet.ops.quantization.activations import convolved
from trtnet.ops.quantization.held_scales import HeldScales, bias_of, operands
from trtnet.ops.shapes.turned import turn
from trtnet.support.backend import trt


def conv1d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Padding = 0,
    dilation: Window = 1,
    groups: int = 1,
) -> Tensor:
    """1-D convolution (cross-correlation, as in torch).

    x: [batch, in_channels, length], or without a batch; floating. weight: [out_channels, in_channels / groups, kernel],
    of the dtype of `x`. bias: [out_channels]. padding: an int, a pair of ints, "same" or "valid". Returns [batch,
    out_channels, new length], in the dtype of `x`.
    Layer: IConvolutionLayer, 2-D with a height of 1.
    Raises LayerError for an `x` of integers, and for shapes or dtypes that do not fit.
    """
    return _form(x, weight, bias, stride, padding, dilation, groups, 1)


def conv2d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Padding = 0,
    dilation: Window = 1,
    groups: int = 1,
) -> Tensor:
    """2-D convolution (cross-correlation, as in torch).

    x: [batch, in_channels, height, width], or without a batch; floating. weight: [out_channels, in_channels / groups,
    kernel_height, kernel_width], of the dtype of `x`. bias: [out_channels]. weight and bias may be tensors of the
    network. stride, dilation: an int or a pair. padding: an int, a pair, pairs of (before, after), "same" or "valid".
    Returns [batch, out_channels, rows, columns], in the dtype of `x`.
    Layer: IConvolutionLayer; of few channels, patches, single pixels, groups and each channel there are other forms:
    ``trtnet.ops.forms.convolutions``.
    Raises LayerError for an `x` of integers, and for shapes or dtypes that do not fit.

    >>> import numpy as np, trtnet
    >>> class Mean(trtnet.nn.Module):
    ...     def forward(self, x):
    ...         return trtnet.ops.conv2d(x, np.full((1, 1, 2, 2), 0.25, np.float32), stride=2)
    >>> network = trtnet.define(Mean(), {"x": trtnet.Input((1, 1, 4, 4))})
    >>> network.reference()(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    return _form(x, weight, bias, stride, padding, dilation, groups, 2)


def _form(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None,
    stride: Window,
    padding: Padding,
    dilation: Window,
    groups: int,
    rank: int,
) -> Tensor:
    image, kernel = x, weight
    x, weight, held = operands(x, weight, bias, groups)
    window = getattr(weight, "shape", ())[2:]
    if len(window) == rank:
        padding = in_numbers(padding, window, stride, dilation)
    if rank == 2 and isinstance(weight, Parameter | np.ndarray):
        x = linear_image(x)
        if are_patches(x, weight, stride, padding, dilation, groups):
            return convolved(_patches(x, weight, bias, stride), image, kernel)
        if is_single_pixel(x, weight, padding, groups):
            return convolved(_pointwise(x, weight, bias), image, kernel)
        if is_pixelwise(x, weight, bias, stride, padding, groups):
            y = of_pixels(x, weight, bias)
            return convolved(pixelwise(x, weight, bias) if y is None else y, image, kernel)
        if is_depthwise(x, weight, padding, groups):
            return convolved(_depthwise(x, weight, bias, stride, padding, dilation), image, kernel)
    return convolved(convolution(x, weight, bias, stride, padding, dilation, groups, rank, held), image, kernel)


def patch_facts(x: Tensor, weight: Parameter | np.ndarray, *_: object) -> dict[str, int]:
    """The batch, how many channels are read, and the pixels of a window."""
    return batch_facts(x) | {"channels": weight.shape[1], "window": prod(weight.shape[2:])}


@formulated("patches", "convolution", facts=patch_facts)
def _patches(x: Tensor, weight: Parameter | np.ndarray, bias: Kernel | None, stride: Window) -> Tensor:
    return convolution(x, weight, bias, stride, 0, 1, 1, rank=2)


def pixel_facts(x: Tensor, weight: Parameter | np.ndarray, *_: object) -> dict[str, int]:
    """The batch, how many channels are read, and how many are made."""
    return batch_facts(x) | {"channels": weight.shape[1], "out_channels": weight.shape[0]}


@formulated("pointwise", "convolution", facts=pixel_facts)
def _pointwise(x: Tensor, weight: Parameter | np.ndarray, bias: Kernel | None) -> Tensor:
    return convolution(x, weight, bias, 1, 0, 1, 1, rank=2)


def window_facts(x: Tensor, weight: Parameter | np.ndarray, *_: object) -> dict[str, int]:
    """The batch, how many pixels of how many channels, and the pixels of a window."""
    return batch_facts(x) | {"pixels": pixels(x), "channels": weight.shape[0], "window": prod(weight.shape[2:])}


def pixelwise_facts(x: Tensor, weight: Parameter | np.ndarray, *_: object) -> dict[str, int]:
    """The batch, how many pixels of how many channels, and how many channels are made."""
    return pixel_facts(x, weight) | {"pixels": pixels(x)}


@formulated("pixelwise", "columns", facts=pixelwise_facts, applies=are_columns)
def pixelwise(x: Tensor, weight: Parameter | np.ndarray, bias: Kernel | None) -> Tensor:
    """A 1x1 convolution of stride 1, that may be a product."""
    return columns(turn(x, BATCH_SECOND), weight, bias, (x.shape[0], *x.shape[2:]))


@formulated("depthwise", "convolution", facts=window_facts)
def _depthwise(
    x: Tensor, weight: Parameter | np.ndarray, bias: Kernel | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    return convolution(x, weight, bias, stride, padding, dilation, int(weight.shape[0]), rank=2)


def conv3d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Padding = 0,
    dilation: Window = 1,
    groups: int = 1,
) -> Tensor:
    """3-D convolution (cross-correlation, as in torch).

    x: [batch, in_channels, depth, height, width], or without a batch; floating. weight: [out_channels, in_channels /
    groups, *kernel], of the dtype of `x`. bias: [out_channels]. Other arguments as in conv2d. Returns [batch,
    out_channels, slices, rows, columns], in the dtype of `x`.
    Layer: IConvolutionLayer.
    Raises LayerError for an `x` of integers, and for shapes or dtypes that do not fit.
    """
    return _form(x, weight, bias, stride, padding, dilation, groups, 3)


def convolution(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None,
    stride: Window,
    padding: Padding,
    dilation: Window,
    groups: int,
    rank: int,
    held: HeldScales | None = None,
) -> Tensor:
    """What all of them are. held: the scales of the kernel, where it is a quantized one."""
    name, bias = "convolution", bias_of(x, bias, held)
    given = ConvolutionWeights.of(x, weight, bias, name, rank)
    if x.ndim == rank + 1:
        y = convolution(x.unsqueeze(0), weight, bias, stride, padding, dilation, groups, rank, held)
        return y.squeeze(0)
    image, flat = lift(x, rank)
    strides, dilations, window = (geometry(each, rank, 1) for each in (stride, dilation, given.window))
    sides: Any = padding if isinstance(padding, str) else list(zip(*pairs(padding, rank, flat), strict=True))
    windows = tuple(sides)
    extent = [d * (k - 1) for d, k in zip(dilations, window, strict=True)]
    outputs = given.shape[0]
    dims = (x.shape[0], outputs, *kept(image, len(window), strides, extent, sides))
    problem = mismatch(x, given, given.shape[1] * groups, name)
    movable = rank > 1 and given.constant and not problem and not isinstance(sides, str)
    moved = rearranged(x, given.shape, strides, sides, dilations, groups) if movable else None
    parts = groups
    if moved is not None:
        given, image, window, parts = given.moved(moved), moved.image, moved.window, moved.groups
        strides, sides = moved.stride, moved.padding
    attributes = {"stride_nd": strides, "dilation_nd": dilations, "num_groups": parts}
    placeholders = Placeholders(given.weights) if given.constant and not problem else None
    (y,) = x.network.add(
        "convolution_nd",
        {"input": image, "num_output_maps": outputs, "kernel_shape": window, **given.arguments(placeholders)},
        attributes=attributes | padding_attributes(image, sides, len(window), name),
        inputs=given.inputs,
        hint=problem,
        dims=[dims],
        shown={"x": x, "weight": given.kernel, "bias": given.bias},
    )
    result = y.squeeze(2) if flat else y
    if placeholders is None and (held is None or isinstance(given.bias, Tensor)):
        return result
    told = None if rank == 1 or isinstance(padding, str) else Geometry(x.fresh(), strides, windows, dilations, groups)
    own, again = weight if held is None else held, _again(x, stride, padding, dilation, groups, rank)
    return _offered(result, x.network.maker(y), given, placeholders, own, bias, again, moved, told)


def _again(x: Tensor, *geometry: Any) -> Callable[[Kernel | HeldScales, Kernel | None], Tensor]:
    """Makes the same convolution with other weights. geometry: what convolution takes from `stride` to `rank`."""

    def again(kernel: Kernel | HeldScales, offset: Kernel | None) -> Tensor:
        taken, scales = kernel.again() if isinstance(kernel, HeldScales) else (kernel, None)
        return partial(convolution, held=scales)(x, taken, offset, *geometry)

    return again


def _offered(
    result: Tensor,
    layer: trt.ILayer,
    given: ConvolutionWeights,
    placeholders: Placeholders | None,
    kernel: Any,
    bias: Any,
    again: Any,
    moved: Rearrangement | None,
    told: Geometry | None,
) -> Tensor:
    """The result, whose layer a batch norm or a sum may take."""
    moves = moved.kernel if moved is not None else lambda kernel: kernel
    place, empty_ones = result.network.place, placeholders or Placeholders({})
    where = None if isinstance(kernel, HeldScales) else told  # a sum takes the values of kernels
    made = Convolution(layer, empty_ones, given.weights, place, kernel, bias, again, moves, None, where, plus)
    return offered(result, made)
