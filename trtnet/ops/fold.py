"""Sliding blocks as columns, and back."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.conv_transpose import conv_transpose2d
from trtnet.ops.pad import pad
from trtnet.ops.shape import cat
from trtnet.ops.slicing import Cut, cut
from trtnet.ops.windows import Window, spread


def unfold(x: Tensor, kernel_size: Window, dilation: Window = 1, padding: Window = 0, stride: Window = 1) -> Tensor:
    """The blocks of an image as columns: [batch, channels, height, width] -> [batch, channels * kernel, blocks].

    Layers: an ISliceLayer for each element of the kernel, joined.
    """
    kernel, dilations, pads, strides = (spread(v, 2) for v in (kernel_size, dilation, padding, stride))
    batch, channels = x.shape[:2]
    padded = pad(x, (pads[1], pads[1], pads[0], pads[0]))
    counts = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, d, s in zip(padded.shape[2:], kernel, dilations, strides, strict=True)
    ]
    taps = [
        cut(padded, {2 + i: Cut(at[i] * dilations[i], counts[i], strides[i]) for i in range(2)}).unsqueeze(2)
        for at in np.ndindex(*kernel)
    ]
    return cat(taps, 2).reshape(batch, channels * (kernel[0] * kernel[1]), counts[0] * counts[1])


def fold(
    x: Tensor,
    output_size: Window,
    kernel_size: Window,
    dilation: Window = 1,
    padding: Window = 0,
    stride: Window = 1,
) -> Tensor:
    """Columns as the blocks of an image, summed where they overlap: [batch, channels * kernel, blocks] -> images.

    Layer: IDeconvolutionLayer with kernels of one 1.
    """
    size, kernel, dilations, pads, strides = (
        spread(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    elements = kernel[0] * kernel[1]
    batch, rows = x.shape[:2]
    if not isinstance(rows, int) or rows % elements:
        x.network.fail(f"fold of {rows} rows with a kernel of {elements} elements", {"x": x})
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
