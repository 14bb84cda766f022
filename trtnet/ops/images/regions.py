"""Features at regions of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul, sub
from trtnet.ops.elementwise.comparison import ge, le, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.filled import full_like
from trtnet.ops.images.resample import grid_sample
from trtnet.ops.pooling.pool import avg_pool2d
from trtnet.ops.shapes.joining import cat, stack
from trtnet.support.dtypes import float32

OUTSIDE = 3.0
"""A position of grid_sample that is nowhere near the image."""


def roi_align(
    x: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: Window,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """The features of boxes, each the means of bilinear samples in a grid of bins, computed in float32.

    x: [batch, channels, height, width], floating. boxes: [k, 5] of (index of the image, x1, y1, x2, y2), or for each
    image [n, 4] of (x1, y1, x2, y2). output_size: (rows, columns) of the grid, or one number for both. spatial_scale:
    from coordinates of boxes to those of `x`. sampling_ratio: samples of a bin along each axis, at least 1. aligned:
    whether pixels are half a pixel to the right and below, as in Detectron2. Returns [k, channels, rows, columns], in
    the dtype of `x`.
    Layer: IGridSampleLayer of all samples (IConcatenationLayer of their coordinates) in the images, one below the
    other; IPoolingLayer AVERAGE.
    Raises LayerError for other shapes, and for torchvision's sampling_ratio <= 0, whose number of samples depends on
    the boxes.
    Source: torchvision.ops.roi_align's documentation; He et al., 2017, arXiv:1703.06870.
    """
    regions = boxes if isinstance(boxes, Tensor) else _numbered(boxes)
    operands = {"x": x, "boxes": regions}
    if x.ndim != 4 or regions.ndim != 2 or regions.shape[1] != 5:
        x.network.fail("roi_align takes an image of four dimensions and boxes of shape [k, 5]", operands)
    if sampling_ratio < 1:
        text = "the number of samples depends on the boxes, and TensorRT has no such layer: give the number of samples"
        x.network.fail(f"roi_align: with sampling_ratio={sampling_ratio} {text}, sampling_ratio=2", operands)
    batch, channels, height, width = x.shape
    rows, columns = spread(output_size, 2)
    count, places = regions.shape[0], cast(regions, float32)
    below = mul(places[:, :1], height)
    across = _samples(places[:, 1], places[:, 3], columns, spatial_scale, sampling_ratio, aligned)
    down = _samples(places[:, 2], places[:, 4], rows, spatial_scale, sampling_ratio, aligned)
    wide, high = columns * sampling_ratio, rows * sampling_ratio
    grid = stack(
        [
            _position(across, width, width).unsqueeze(1).expand(count, high, wide),
            _position(down, height, batch * height, below).unsqueeze(2).expand(count, high, wide),
        ],
        -1,
    )
    image = cast(x, float32).permute(1, 0, 2, 3).reshape(1, channels, batch * height, width)
    found = grid_sample(image, grid.reshape(1, count * high, wide, 2), align_corners=False)
    means = avg_pool2d(found, sampling_ratio) if sampling_ratio > 1 else found
    return cast(means.reshape(channels, count, rows, columns).permute(1, 0, 2, 3), x.dtype)


def _numbered(boxes: Sequence[Tensor]) -> Tensor:
    """[k, 5]: the boxes of several images, each with the index of its image."""
    return cat([cat([full_like(each[:, :1], index), each], 1) for index, each in enumerate(boxes)])


def _samples(first: Tensor, last: Tensor, bins: int, scale: float, ratio: int, aligned: bool) -> Tensor:
    """[k, bins * ratio]: the positions of samples along an axis, in pixels from the first one's centre."""
    offset = 0.5 if aligned else 0.0
    low = sub(mul(first, scale), offset)
    extent = sub(sub(mul(last, scale), offset), low)
    extent = extent if aligned else maximum(extent, 1.0)
    parts = ((np.arange(bins * ratio) + 0.5) / (bins * ratio)).astype(np.float32)
    return add(low.unsqueeze(1), mul(extent.unsqueeze(1), parts))


def _position(place: Tensor, size: Size, whole: Size, below: Tensor | None = None) -> Tensor:
    """Positions in an image as those of grid_sample in `whole` pixels, of which the image's begin at `below`.

    A sample up to a pixel outside is at the border; one that is farther away is 0.
    """
    inside = minimum(maximum(place, 0), size - 1)
    moved = inside if below is None else add(inside, below)
    there = sub(div(add(mul(moved, 2), 1), whole), 1)
    return where(logical_and(ge(place, -1), le(place, size)), there, OUTSIDE)
