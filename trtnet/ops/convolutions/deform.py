"""Convolutions whose kernels are deformed, with torchvision.ops' names and arguments."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.images.resample import grid_sample
from trtnet.ops.products.matmul import matmul
from trtnet.ops.shapes.joining import stack
from trtnet.support.dtypes import float32
from trtnet.support.text.counted import counted


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Operand,
    bias: Operand | None = None,
    stride: Window = (1, 1),
    padding: Window = (0, 0),
    dilation: Window = (1, 1),
    mask: Tensor | None = None,
) -> Tensor:
    """2-D convolution of pixels at offset positions, multiplied by a mask if there is one; sampled in float32.

    x: [batch, in_channels, height, width], floating. offset: [batch, 2 * groups * kernel_height * kernel_width, rows,
    columns] of (down, right). weight: [out_channels, in_channels / convolution groups, kernel_height, kernel_width].
    bias: [out_channels]. mask: [batch, groups * kernel_height * kernel_width, rows, columns]. Returns [batch,
    out_channels, rows, columns], in the dtype of `x`.
    Layer: IGridSampleLayer at the places that IConcatenationLayer joins, and IMatrixMultiplyLayer with the weight.
    Raises LayerError for sizes that do not fit.
    Source: torchvision.ops.deform_conv2d's documentation; Zhu et al., 2018, arXiv:1811.11168.
    """
    kernel = tensor(weight, x.network, x.dtype)
    out, inner, *window = kernel.shape
    taps, batch, (rows, columns) = int(window[0]) * int(window[1]), x.shape[0], offset.shape[2:]
    channels = x.shape[1]
    if offset.shape[1] % (2 * taps) or not offset.shape[1] or channels % inner:
        text = f"two offsets for each of the {counted(taps, 'weight')} of a kernel, or of each of its groups"
        x.network.fail(f"deform_conv2d takes {text}", {"x": x, "offset": offset, "weight": kernel})
    pixels = _sampled(
        cast(x, float32), cast(offset, float32), (int(window[0]), int(window[1])), stride, padding, dilation
    )
    if mask is not None:
        groups = offset.shape[1] // (2 * taps)
        grouped = pixels.reshape(batch, groups, channels // groups, taps, rows, columns)
        pixels = mul(grouped, cast(mask, float32).reshape(batch, groups, 1, taps, rows, columns))
    parts = channels // inner
    patches = cast(pixels, x.dtype).reshape(batch, parts, inner * taps, rows * columns)
    y = matmul(kernel.reshape(1, parts, out // parts, inner * taps), patches).reshape(batch, out, rows, columns)
    return y if bias is None else add(y, tensor(bias, x.network, x.dtype).reshape(1, out, 1, 1))


def _sampled(
    x: Tensor, offset: Tensor, kernel: tuple[int, int], stride: Window, padding: Window, dilation: Window
) -> Tensor:
    """[batch, channels, kernel positions, rows, columns]: the pixels of a deformed kernel at each place.

    x: [batch, channels, height, width]. offset: [batch, groups * kernel positions * 2, rows, columns]. Both float32.
    """
    batch, channels, *sizes = x.shape
    taps, (rows, columns) = kernel[0] * kernel[1], offset.shape[2:]
    groups = offset.shape[1] // (2 * taps)
    moved = offset.reshape(batch * groups, taps, 2, rows, columns)
    steps = zip(spread(stride, 2), spread(padding, 2), spread(dilation, 2), strict=True)
    inside = np.indices(kernel, np.float32).reshape(2, taps, 1, 1)
    places = []
    for axis, (step, before, apart) in enumerate(steps):
        window = mul(cast(arange(offset.shape[2 + axis], network=x.network), float32), step)
        window = window.unsqueeze(1) if axis == 0 else window
        place = add(add(moved[:, :, axis], window), inside[axis] * apart - before)
        places.append(sub(div(add(mul(place, 2), 1), sizes[axis]), 1))
    grid = stack([places[1], places[0]], -1).reshape(batch * groups, taps * rows, columns, 2)
    images = x.reshape(batch * groups, channels // groups, *sizes)
    found = grid_sample(images, grid, align_corners=False)
    return found.reshape(batch, channels, taps, rows, columns)
