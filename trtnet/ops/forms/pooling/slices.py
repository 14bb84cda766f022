"""Windows taken apart: slices of an image, and the largest or the sum of them.

IPoolingLayer is a kernel of its own, and one that reads slowly: TensorRT-RTX 1.6.1 takes 34 us for ResNet-18's at batch
32 on an H200 (float16), which reads and writes 64 MB. Slices and elementwise layers are one kernel that reads
eight channels at a time, with what is around them: a concatenation before, a batch norm or a sum behind.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import prod

import numpy as np

from trtnet.graph import Dim, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add, maximum
from trtnet.ops.elementwise.comparison import where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.formulations import form
from trtnet.ops.pooling.window_slices import largest_of_taps, taps
from trtnet.ops.pooling.windows import Windows, means_of_sums
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.ops.shapes.turned import turning

MOST = 64
"""Of a window's elements, each of which is read."""


def is_small(x: Tensor, windows: Windows, is_largest: bool, with_padding: bool) -> bool:
    """Whether windows have 2 to 64 elements, and the image is not itself what windows were made of that are apart.

    TensorRT-RTX computes pools of pools in one kernel, with the windows below anew for each element of those above.
    """
    below = x.current
    is_apart = not isinstance(below, PendingLayer) and below in x.network.pooled
    return 1 < prod(windows.sizes) <= MOST and not is_apart


@form("pooling", "slices", applies=is_small)
def slices(x: Tensor, windows: Windows, is_largest: bool, with_padding: bool) -> Tensor:
    """A slice of the padded image for each element of a window; sums are of float32.

    x: [batch, channels, *sizes]. Returns [batch, channels, *counts].
    """
    if is_largest:
        return _apart(largest_of_taps(x, windows))
    total = reduce(add, (cast(tap, "float32") for _, tap in taps(x, windows, 0.0)))
    return _apart(cast(means_of_sums(total, x, windows, with_padding), x.dtype))


@form("pooling", "separable", applies=is_small)
def separable(x: Tensor, windows: Windows, is_largest: bool, with_padding: bool) -> Tensor:
    """One axis after the other, the last one first; sums are of float32.

    Nothing is padded: what a slice reads beyond the image is the image's last element again. A window that leaves the
    image has that element in it, so that it changes no largest one; in sums 0 is in its place. Where windows leave the
    image, its channels are last: TensorRT-RTX 1.6.1 makes copies otherwise.
    """
    is_beyond = any(windows.beyond(size, i) != (0, 0) for i, size in enumerate(x.shape[2:]))
    image = x.permute(0, *range(2, x.ndim), 1) if is_beyond else x
    if is_largest:
        y = _axis_by_axis(image, x, windows, maximum, is_beyond)
    else:
        total = _axis_by_axis(image, x, windows, _float32_sum, is_beyond)
        y = cast(means_of_sums(total, x, windows, with_padding, is_beyond), x.dtype)
    found = turning(x)
    if is_beyond and found is not None and found.joins:
        return _apart(found.like(y))
    return _apart(y.permute(0, x.ndim - 1, *range(1, x.ndim - 1)) if is_beyond else y)


def _apart(y: Tensor) -> Tensor:
    """The result, noted."""
    y.network.pooled.add(y.trt)
    return y


def _axis_by_axis(
    image: Tensor, x: Tensor, windows: Windows, function: Callable[[Tensor, Tensor], Tensor], channels_last: bool
) -> Tensor:
    """The function of all elements of each window of `x`, which is the image with its channels where they are there."""
    for i in reversed(range(windows.rank)):
        axis, size = (1 if channels_last else 2) + i, x.shape[2 + i]
        parts = []
        for element in range(windows.sizes[i]):
            taken = Cut(element - windows.pads[i], windows.count(size, i), windows.strides[i])
            if windows.beyond(size, i, element) == (0, 0):
                parts.append(image if taken == Cut(0, size) else cut(image, {axis: taken}))
            elif function is maximum:
                parts.append(cut(image, {axis: taken}, "CLAMP"))
            else:
                parts.append(_or_zero(image, axis, taken))
        image = reduce(function, parts)
    return image


def _float32_sum(x: Tensor, y: Tensor) -> Tensor:
    """Of slices that were made before they are cast: what is before them would write float32."""
    return add(cast(x, "float32"), cast(y, "float32"))


def _or_zero(image: Tensor, axis: int, taken: Cut) -> Tensor:
    """A slice, with 0 beyond the image. Where the places are known, it is read clamped: TensorRT would write zeros."""
    start, count, step, size = taken.start, taken.size, taken.step, image.shape[axis]
    if isinstance(start, Dim) or isinstance(count, Dim) or isinstance(step, Dim) or isinstance(size, Dim):
        return cut(image, {axis: taken}, "FILL", tensor(0, image.network, image.dtype))
    places = start + np.arange(count) * step
    inside = ((places >= 0) & (places < size)).reshape(-1, *(1,) * (image.ndim - 1 - axis))
    return where(tensor(inside, image.network), cut(image, {axis: taken}, "CLAMP"), 0.0)
