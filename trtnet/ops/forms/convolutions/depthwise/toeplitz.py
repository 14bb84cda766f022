"""A depthwise convolution as products with Toeplitz matrices, which tensor cores multiply.

A row of the result is the sum, over the rows of a window, of a row of the image times a matrix that has the row of the
kernel in each column, one place further down. Kernels for depthwise convolutions multiply without tensor cores: on an
H200 at batch 32, TensorRT-RTX 1.6 takes 150 us for windows of 7x7 over 96 channels of 56 x 56 pixels (float16), so that
a ConvNeXt-T block takes 336 us, and 258 us with `blocks`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Padding, Window, pairs, spread
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.convolutions.rearrangement import Array
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.forms.convolutions import windows
from trtnet.ops.forms.convolutions.windows import Axis, are_inside
from trtnet.ops.forms.moved_weights import moved_weight
from trtnet.ops.formulations import form
from trtnet.ops.products.matmul import matmul
from trtnet.ops.shapes.joining import cat, stack
from trtnet.ops.shapes.pad import pad

MOST_PIXELS, LEAST_WINDOW, MOST_ROWS = 64, 5, 4
"""Of an image whose matrix has a number for every two pixels; of windows, of which smaller ones are soon added; and of
rows in a block, whose matrix has more zeros the more there are."""


def taps(axis: Axis) -> Array:
    """[window, size, results]: 1 where a place of the image is under a place of the window."""
    places = np.arange(axis.results) * axis.step - axis.before
    under = places + axis.dilation * np.arange(axis.window)[:, None]
    return (np.arange(axis.size)[None, :, None] == under[:, None, :]).astype(np.int8)


def axes_of(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> list[Axis]:
    """Those of height and width."""
    assert not isinstance(padding, str)
    sides = list(zip(*pairs(padding, 2), strict=True))
    return windows.axes_of(x, weight.shape[2:], spread(stride, 2), sides, spread(dilation, 2))


def is_large(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> bool:
    """Whether windows are of 5x5 or more, in the image, from which padding takes nothing away."""
    axes = axes_of(x, weight, bias, stride, padding, dilation)
    return are_inside(axes) and min(axis.window for axis in axes) >= LEAST_WINDOW


@form("depthwise", "rows", applies=is_large)
def rows(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    """The rows under a window beside each other, times the matrices of its rows one below the other.

    x: [batch, channels, height, width]. weight: [channels, 1, rows, columns]. Returns [batch, channels, ...].
    """
    high, wide = axes_of(x, weight, bias, stride, padding, dilation)
    channels, wide_taps = int(weight.shape[0]), taps(wide)
    image = pad(x.permute(1, 0, 2, 3), (0, 0, high.before, high.after))
    beside = cat([image[:, :, high.under(row)] for row in range(high.window)], -1)

    def matrices(kernel: Array) -> Array:
        found = np.einsum("crk,kwv->crwv", kernel[:, 0].astype(np.float32), wide_taps)
        return found.reshape(channels, high.window * wide.size, wide.results)

    shape = (channels, high.window * wide.size, wide.results)
    y = matmul(beside.reshape(channels, -1, shape[1]), _constant(x, weight, shape, matrices))
    return _result(x, y, bias, high, wide)


def has_few_pixels(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> bool:
    """Whether the image has at most 64 pixels, and windows of 5x5 or more are in it."""
    few = int(x.shape[2]) * int(x.shape[3]) <= MOST_PIXELS
    return few and is_large(x, weight, bias, stride, padding, dilation)


@form("depthwise", "matrix", applies=has_few_pixels)
def matrix(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    """All pixels of a channel times a matrix that has the kernel in each column."""
    high, wide = axes_of(x, weight, bias, stride, padding, dilation)
    channels, both = int(weight.shape[0]), (taps(high), taps(wide))
    shape = (channels, high.size * wide.size, high.results * wide.results)

    y = matmul(x.permute(1, 0, 2, 3).flatten(2), _constant(x, weight, shape, partial(_matrices, both, shape)))
    return _result(x, y, bias, high, wide)


def has_adjoining_windows(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> bool:
    """Whether windows are of 5x5 or more, in the image, of stride and dilation 1."""
    return spread(stride, 2) == spread(dilation, 2) == (1, 1) and is_large(x, weight, bias, stride, padding, dilation)


@form("depthwise", "blocks", applies=has_adjoining_windows)
def blocks(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    """The rows under up to four rows of the result, times a matrix that has the kernel in each column."""
    high, wide = axes_of(x, weight, bias, stride, padding, dilation)
    channels = int(weight.shape[0])
    count = max(n for n in range(1, MOST_ROWS + 1) if high.results % n == 0)
    part = Axis(count + high.window - 1, high.window, 1, 0, 0, 1)
    image = pad(x, (0, 0, high.before, high.after))
    parts = stack([image[:, :, start : start + part.size] for start in range(0, high.results, count)], 2)
    shape = (channels, part.size * wide.size, count * wide.results)
    constant = _constant(x, weight, shape, partial(_matrices, (taps(part), taps(wide)), shape))
    return _result(x, matmul(parts.permute(1, 0, 2, 3, 4).reshape(channels, -1, shape[1]), constant), bias, high, wide)


def _matrices(both: tuple[Array, Array], shape: tuple[int, ...], kernel: Array) -> Array:
    """The kernel of each channel in each column, at the places that the window of a result covers."""
    return np.einsum("crk,rhg,kwv->chwgv", kernel[:, 0].astype(np.float32), *both, optimize=True).reshape(shape)


def _constant(x: Tensor, weight: Constant, shape: tuple[int, ...], made: Callable[[Array], Array]) -> Tensor:
    """The matrices of a kernel, computed in float32."""
    return moved_weight(x, weight, shape, lambda kernel: made(kernel).astype(kernel.dtype))


def _result(x: Tensor, y: Tensor, bias: Operand | None, high: Axis, wide: Axis) -> Tensor:
    """[channels, batch and perhaps rows, rest] as an image."""
    batch, channels = x.shape[:2]
    image = y.reshape(channels, batch, high.results, wide.results).permute(1, 0, 2, 3)
    return image if bias is None else add(image, tensor(bias, x.network).reshape(1, channels, 1, 1))
