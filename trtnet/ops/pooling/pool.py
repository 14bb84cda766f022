"""Pooling, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from math import prod
from typing import Any

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul, sub
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.pooling.layer import pool_layer, spare
from trtnet.ops.pooling.window_slices import check, largest_of_taps, padded_for
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
    if return_indices or any(d != 1 for d in spread(dilation, rank)) or not x.dtype.is_floating:
        check(x, kernel_size, padding, rank, dilation, spare(kernel_size, stride, ceil_mode, rank))
        values, places = largest_of_taps(x, kernel_size, stride, padding, dilation, ceil_mode, rank, return_indices)
        return (values, places) if return_indices else values
    return pool_layer(x, "MAX", kernel_size, stride, padding, ceil_mode, {}, rank)


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
    if divisor is None and ceil_mode and is_static(spread(kernel_size, rank)):
        check(x, kernel_size, padding, rank, 1, spare(kernel_size, stride, ceil_mode, rank))
        if not _fits(x, kernel_size, stride, padding, rank):
            return _rounded_up(x, kernel_size, stride, padding, count_include_pad, rank)
        ceil_mode = False
    if divisor is None:
        attributes = {"average_count_excludes_padding": not count_include_pad}
        return pool_layer(x, "AVERAGE", kernel_size, stride, padding, ceil_mode, attributes, rank)
    if divisor == 0:
        x.network.fail("avg_pool: divisor_override is not 0", {"x": x})
    check(x, kernel_size, padding, rank, 1, spare(kernel_size, stride, ceil_mode, rank))
    means, _ = _full_means(x, kernel_size, stride, padding, ceil_mode, rank)
    return mul(means, prod(spread(kernel_size, rank)) / divisor)


def _full_means(
    x: Tensor, kernel_size: Window, stride: Window | None, padding: Window, ceil_mode: bool, rank: int
) -> tuple[Tensor, list[Size]]:
    """(sums over the size of a whole window, of zeros beyond the input; the number of windows of each axis)."""
    padded, counts = padded_for(x, kernel_size, stride, padding, 1, ceil_mode, rank, 0.0)
    means = pool_layer(
        padded, "AVERAGE", kernel_size, stride, 0, False, {"average_count_excludes_padding": False}, rank
    )
    return cut(means, {a: Cut(0, n) for a, n in enumerate(counts, start=2) if ceil_mode}), counts


def _fits(x: Tensor, kernel_size: Window, stride: Window | None, padding: Window, rank: int) -> bool:
    """Whether windows end where the input and its padding do, so that rounding up changes nothing."""
    steps = kernel_size if stride is None else stride
    sizes = zip(x.shape[2:], *(spread(value, rank) for value in (kernel_size, steps, padding)), strict=True)
    return all(_ends_there(*numbers) for numbers in sizes)


def _ends_there(size: Size, window: int, step: int, padding: int) -> bool:
    """Whether the last window of an axis ends where its padding does, whatever its size."""
    return step == 1 or (isinstance(size, int) and (size + 2 * padding - window) % step == 0)


def _rounded_up(
    x: Tensor, kernel_size: Window, stride: Window | None, padding: Window, include: bool, rank: int
) -> Tensor:
    """The mean of each window with ceil_mode: what a last window has beyond the padding counts as nothing in torch.

    TensorRT's layer divides by it: sums of whole windows are divided here, by how much of each axis counts.
    """
    means, counts = _full_means(x, kernel_size, stride, padding, True, rank)
    window, pads = spread(kernel_size, rank), spread(padding, rank)
    steps = window if stride is None else spread(stride, rank)
    for i, (n, k, s, p) in enumerate(zip(counts, window, steps, pads, strict=True)):
        if include and _ends_there(x.shape[2 + i], k, s, p):  # whole windows only
            continue
        starts = sub(mul(arange(n, network=x.network), s), p)
        first, size = (starts, x.shape[2 + i] + p) if include else (maximum(starts, 0), x.shape[2 + i])
        counted = sub(minimum(add(starts, k), size), first)
        share = div(float(k), cast(counted, "float32"))
        means = mul(means, cast(share, x.dtype).reshape(-1, *(1,) * (rank - 1 - i)))
    return means
