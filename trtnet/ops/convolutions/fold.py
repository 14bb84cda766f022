"""Sliding blocks as columns, and back."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.convolutions.conv_transpose import conv_transpose2d
from trtnet.ops.convolutions.sliding import sliding_windows
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.shape import shuffle
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.text.counted import counted


def unfold(x: Tensor, kernel_size: Window, dilation: Window = 1, padding: Window = 0, stride: Window = 1) -> Tensor:
    """The sliding blocks of an image as columns, torch.nn.functional.unfold.

    x: [batch, channels, height, width], or without a batch; any dtype. Returns [batch, channels * kernel, blocks], in
    the dtype of `x`.
    Layer: IGatherLayer for each axis, whatever the size of the kernel, and IShuffleLayer.
    Raises LayerError for another rank, and for a window larger than the padded image.
    """
    if x.ndim == 3:
        return unfold(x.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)
    if x.ndim != 4:
        x.network.fail(
            f"unfold takes an image [batch, channels, height, width], found {counted(x.ndim, 'dimension')}", {"x": x}
        )
    kernel, dilations, pads, strides = (spread(v, 2) for v in (kernel_size, dilation, padding, stride))
    padded = pad(x, (pads[1], pads[1], pads[0], pads[0]))
    rows = sliding_windows(padded, 2, kernel[0], strides[0], dilations[0])
    blocks = sliding_windows(rows, 4, kernel[1], strides[1], dilations[1])
    batch, channels, high, _, wide, _ = blocks.shape
    columns = (batch, channels * (kernel[0] * kernel[1]), high * wide)
    return shuffle(blocks, before=(0, 1, 3, 5, 2, 4), shape=columns)


def fold(
    x: Tensor,
    output_size: Window,
    kernel_size: Window,
    dilation: Window = 1,
    padding: Window = 0,
    stride: Window = 1,
) -> Tensor:
    """Columns as the blocks of an image, summed where they overlap: the inverse of unfold where they do not.

    x: [batch, channels * kernel, blocks], floating. Returns [batch, channels, *output_size], in the dtype of `x`.
    Layer: IDeconvolutionLayer with kernels that hold a single 1.
    Raises LayerError for rows that are not a multiple of the number of elements of the kernel.
    """
    size, kernel, dilations, pads, strides = (
        spread(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    elements = kernel[0] * kernel[1]
    batch, rows = x.shape[:2]
    if not isinstance(rows, int) or rows % elements:
        x.network.fail(f"fold of {counted(rows, 'row')} with a kernel of {counted(elements, 'element')}", {"x": x})
    counts = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(size, kernel, dilations, pads, strides, strict=True)
    ]
    channels = rows // elements
    ones = np.tile(np.eye(elements).reshape(elements, 1, *kernel), (channels, 1, 1, 1)).astype(x.dtype.numpy)
    image: Tensor = x.reshape(batch, rows, *counts)
    whole = conv_transpose2d(image, ones, stride=strides, dilation=dilations, groups=channels)
    return _cropped(whole, pads, size)


def _cropped(whole: Tensor, pads: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """The image without its padding; what no block reaches is 0."""
    have = [int(n) for n in whole.shape[2:]]
    missing = [max(p + n - h, 0) for p, n, h in zip(pads, size, have, strict=True)]
    grown = pad(whole, (0, missing[1], 0, missing[0]))
    return cut(grown, {2 + i: Cut(pads[i], size[i]) for i in range(2)})
