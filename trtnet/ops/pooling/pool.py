"""Pooling, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts
from trtnet.ops.normalization.behind import note_mean
from trtnet.ops.pooling.layer import over_whole_axes, pool_layer, spare
from trtnet.ops.pooling.window_slices import check, largest_and_places, largest_of_taps, padded_for
from trtnet.ops.pooling.windows import Windows
from trtnet.ops.shapes.slicing import Cut, cut


def max_pool(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    dilation: Window,
    ceil_mode: bool,
    rank: int,
    return_indices: bool = False,
) -> Any:
    """max_pool1d, 2d or 3d by `rank`."""
    if x.ndim == rank + 1:
        found = max_pool(x.unsqueeze(0), kernel_size, stride, padding, dilation, ceil_mode, rank, return_indices)
        return tuple(y.squeeze(0) for y in found) if return_indices else found.squeeze(0)
    check(x, kernel_size, padding, rank, dilation, spare(kernel_size, stride, ceil_mode, rank))
    if not is_static(spread(kernel_size, rank)):
        return over_whole_axes(x, "MAX", kernel_size, stride, padding, ceil_mode, {}, rank)
    windows = Windows.of(kernel_size, stride, padding, ceil_mode, rank, dilation)
    if return_indices:
        return largest_and_places(x, windows)
    if any(apart != 1 for apart in windows.dilations) or not x.dtype.is_floating:
        return largest_of_taps(x, windows)
    return _pooling(x, windows, True, True)


def max_pool1d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    dilation: Window = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window; padding never wins.

    x: [batch, channels, length], or without a batch; floating or integer. stride: kernel_size by default.
    return_indices: gives (values, int64 positions in the channel's image), the first of equal elements. Returns [batch,
    channels, windows], in the dtype of `x`.
    Layer: IPoolingLayer MAX; with dilation, return_indices or integers, an ISliceLayer for each element of the window
    and IElementWiseLayer MAX.
    Raises LayerError for another rank, and for padding of more than half the window.
    """
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 1, return_indices)


def max_pool2d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    dilation: Window = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window; padding never wins.

    x: [batch, channels, height, width], or without a batch; floating or integer. Arguments as in max_pool1d, ints or
    pairs. Returns [batch, channels, rows, columns], in the dtype of `x`; with return_indices, their int64 positions
    too.
    Layer: IPoolingLayer MAX; with dilation, return_indices or integers, an ISliceLayer for each element of the window
    and IElementWiseLayer MAX.
    Raises LayerError for another rank, and for padding of more than half the window.
    """
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 2, return_indices)


def max_pool3d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    dilation: Window = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window; padding never wins.

    x: [batch, channels, depth, height, width], or without a batch; floating or integer. Arguments as in max_pool1d,
    ints or triples. Returns [batch, channels, slices, rows, columns], in the dtype of `x`; with return_indices, their
    int64 positions too.
    Layer: IPoolingLayer MAX; with dilation, return_indices or integers, an ISliceLayer for each element of the window
    and IElementWiseLayer MAX.
    Raises LayerError for another rank, and for padding of more than half the window.
    """
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 3, return_indices)


def avg_pool1d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window, with the zeros of the padding counted unless count_include_pad=False.

    x: [batch, channels, length], or without a batch; floating. stride: kernel_size by default. Returns [batch,
    channels, windows], in the dtype of `x`.
    Layer: IPoolingLayer AVERAGE; where ceil_mode makes a last window that reaches beyond the padding, of the padded
    input, with IElementWiseLayer PROD by what torch divides by.
    Raises LayerError for another rank, and for padding of more than half the window.
    """
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, None, rank=1)


def avg_pool2d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window, with the zeros of the padding counted unless count_include_pad=False.

    x: [batch, channels, height, width], or without a batch; floating. Arguments as in avg_pool1d, ints or pairs.
    divisor_override: what sums are divided by instead. Returns [batch, channels, rows, columns], in the dtype of `x`.
    Layer: IPoolingLayer AVERAGE, and IElementWiseLayer PROD for a divisor or a last window as in avg_pool1d.
    Raises LayerError for another rank, and for padding of more than half the window.
    """
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, rank=2)


def avg_pool3d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window, with the zeros of the padding counted unless count_include_pad=False.

    x: [batch, channels, depth, height, width], or without a batch; floating. Arguments as in avg_pool1d, ints or
    triples. divisor_override: what sums are divided by instead. Returns [batch, channels, slices, rows, columns], in
    the dtype of `x`.
    Layer: IPoolingLayer AVERAGE, and IElementWiseLayer PROD for a divisor or a last window as in avg_pool1d.
    Raises LayerError for another rank, and for padding of more than half the window.
    """
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, rank=3)


def avg_pool(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
    rank: int,
) -> Tensor:
    """avg_pool1d, 2d or 3d by `rank`."""
    if x.ndim == rank + 1:
        image = x.unsqueeze(0)
        y = avg_pool(image, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor, rank)
        return y.squeeze(0)
    check(x, kernel_size, padding, rank, 1, spare(kernel_size, stride, ceil_mode, rank))
    if not is_static(spread(kernel_size, rank)):
        attributes = {"average_count_excludes_padding": not count_include_pad}
        return over_whole_axes(x, "AVERAGE", kernel_size, stride, padding, ceil_mode, attributes, rank)
    windows = Windows.of(kernel_size, stride, padding, ceil_mode, rank)
    if divisor is None:
        y = _pooling(x, windows, False, count_include_pad)
        keeps = not windows.rounds_up and (not count_include_pad or not any(windows.pads))
        return note_mean(y, x, lambda image: _pooling(image, windows, False, count_include_pad)) if keeps else y
    if divisor == 0:
        x.network.fail("avg_pool: divisor_override is not 0", {"x": x})
    return mul(_full_means(x, windows), prod(windows.sizes) / divisor)


def pooling_facts(x: Tensor, windows: Windows, is_largest: bool, with_padding: bool) -> dict[str, int]:
    """Whether it is the largest, the batch, channels and pixels of the result as far as known, the window, the
    largest stride."""
    channels, counts = x.shape[1], windows.counts(x)
    return batch_facts(x) | {
        "largest": int(is_largest),
        "channels": channels if isinstance(channels, int) else 1,
        "pixels": prod(count if isinstance(count, int) else 1 for count in counts),
        "window": prod(windows.sizes),
        "stride": max(windows.strides),
    }


@formulated("pooling", "layer", facts=pooling_facts)
def _pooling(x: Tensor, windows: Windows, is_largest: bool, with_padding: bool) -> Tensor:
    """IPoolingLayer. with_padding: whether zeros of the padding count for means."""
    if is_largest:
        return pool_layer(x, "MAX", windows, {})
    if windows.rounds_up and not all(windows.divides(size, i) for i, size in enumerate(x.shape[2:])):
        return _rounded_up(x, windows, with_padding)
    exact = replace(windows, rounds_up=False)
    return pool_layer(x, "AVERAGE", exact, {"average_count_excludes_padding": not with_padding})


def _full_means(x: Tensor, windows: Windows) -> Tensor:
    """Sums over the size of a whole window, of zeros beyond the input."""
    padded, counts = padded_for(x, windows, 0.0)
    inner = replace(windows, pads=(0,) * windows.rank, rounds_up=False)
    means = pool_layer(padded, "AVERAGE", inner, {"average_count_excludes_padding": False})
    return cut(means, {a: Cut(0, n) for a, n in enumerate(counts, start=2) if windows.rounds_up})


def _rounded_up(x: Tensor, windows: Windows, with_padding: bool) -> Tensor:
    """The mean of each window with ceil_mode: what a last window has beyond the padding counts as nothing in torch.

    TensorRT's layer divides by it: sums of whole windows are divided here, by how much of each axis counts.
    """
    means = _full_means(x, windows)
    for i, (length, k) in enumerate(zip(windows.lengths(x, with_padding), windows.sizes, strict=True)):
        if isinstance(length, int) and length == k:
            continue
        if isinstance(length, Tensor):
            share = cast(div(float(k), length), x.dtype)
        else:
            share = tensor(np.float32(k) / np.asarray(length, np.float32), x.network, x.dtype)
        means = mul(means, share.reshape(-1, *(1,) * (windows.rank - 1 - i)))
    return means
