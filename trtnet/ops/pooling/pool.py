"""Pooling, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from math import prod
from typing import Any

from trtnet.graph import Dim, Size, Tensor
from trtnet.graph.sizes.dim import is_static, smallest
from trtnet.ops.arguments.window_arguments import Window, geometry, kept, lift, spread
from trtnet.ops.create import arange
from trtnet.ops.elementwise.basic import add, cast, maximum, minimum, mul, sub
from trtnet.ops.elementwise.division import div
from trtnet.ops.pooling.window_slices import check, largest_of_taps, padded_for
from trtnet.ops.reductions.reduce import amax, mean
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.backend import trt


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
        check(x, kernel_size, padding, rank, dilation, _spare(kernel_size, stride, ceil_mode, rank))
        values, places = largest_of_taps(x, kernel_size, stride, padding, dilation, ceil_mode, rank, return_indices)
        return (values, places) if return_indices else values
    return _pool(x, "MAX", kernel_size, stride, padding, ceil_mode, {}, rank)


def max_pool1d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    dilation: Window = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window of x [batch, channels, length], or without a batch; padding never wins.

    return_indices: (the largest, int64 their places in a channel's image), the first of equal ones.
    Layer: IPoolingLayer MAX; with dilation or return_indices, and for integers, an ISliceLayer for each element of the
    window and the larger of each two.
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
    """max_pool1d of x [batch, channels, height, width]."""
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
    """max_pool1d of x [batch, channels, depth, height, width]."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 3, return_indices)


def avg_pool1d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of x [batch, channels, length], over the padding's zeros too unless told otherwise.

    Layer: IPoolingLayer AVERAGE; where ceil_mode gives a last window that reaches beyond the padding, of the padded
    input, with a product by what torch divides by.
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
    """avg_pool1d of x [batch, channels, height, width]. divisor_override: what sums are divided by instead."""
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
    """avg_pool2d of x [batch, channels, depth, height, width]."""
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
        check(x, kernel_size, padding, rank, 1, _spare(kernel_size, stride, ceil_mode, rank))
        if not _fits(x, kernel_size, stride, padding, rank):
            return _rounded_up(x, kernel_size, stride, padding, count_include_pad, rank)
        ceil_mode = False
    if divisor is None:
        attributes = {"average_count_excludes_padding": not count_include_pad}
        return _pool(x, "AVERAGE", kernel_size, stride, padding, ceil_mode, attributes, rank)
    if divisor == 0:
        x.network.fail("avg_pool: divisor_override is not 0", {"x": x})
    check(x, kernel_size, padding, rank, 1, _spare(kernel_size, stride, ceil_mode, rank))
    means, _ = _full_means(x, kernel_size, stride, padding, ceil_mode, rank)
    return mul(means, prod(spread(kernel_size, rank)) / divisor)


def _full_means(
    x: Tensor, kernel_size: Window, stride: Window | None, padding: Window, ceil_mode: bool, rank: int
) -> tuple[Tensor, list[Size]]:
    """(sums over the size of a whole window, of zeros beyond the input; the number of windows of each axis)."""
    padded, counts = padded_for(x, kernel_size, stride, padding, 1, ceil_mode, rank, 0.0)
    means = _pool(padded, "AVERAGE", kernel_size, stride, 0, False, {"average_count_excludes_padding": False}, rank)
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
        if include and _ends_there(x.shape[2 + i], k, s, p):  # whole windows alone
            continue
        starts = sub(mul(arange(n, network=x.network), s), p)
        first, size = (starts, x.shape[2 + i] + p) if include else (maximum(starts, 0), x.shape[2 + i])
        counted = sub(minimum(add(starts, k), size), first)
        share = div(float(k), cast(counted, "float32"))
        means = mul(means, cast(share, x.dtype).reshape(-1, *(1,) * (rank - 1 - i)))
    return means


def _pool(
    x: Tensor,
    kind: str,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    ceil_mode: bool,
    attributes: dict[str, Any],
    rank: int,
) -> Tensor:
    check(x, kernel_size, padding, rank, 1, _spare(kernel_size, stride, ceil_mode, rank))
    if not is_static(spread(kernel_size, rank)):
        return _over_whole_axes(x, kind, kernel_size, stride, padding, ceil_mode, attributes, rank)
    image, flat = lift(x, rank)
    window, pads = geometry(kernel_size, rank, 1), geometry(padding, rank, 0)
    strides = window if stride is None else geometry(stride, rank, 1)
    rounding = trt.PaddingMode.EXPLICIT_ROUND_UP if ceil_mode else trt.PaddingMode.EXPLICIT_ROUND_DOWN
    places = {"stride_nd": strides, "pre_padding": pads, "post_padding": pads, "padding_mode": rounding}
    extent = [size - 1 for size in window]
    (y,) = x.network.add(
        "pooling_nd",
        {"input": image, "type": getattr(trt.PoolingType, kind), "window_size": window},
        attributes=places | attributes,
        name=f"{kind.lower()}_pool",
        dims=[(x.shape[0], x.shape[1], *kept(image, len(window), strides, extent, list(pads)))],
    )
    y = _without_windows_of_padding(image, y, window, strides, pads) if ceil_mode else y
    return y.squeeze(2) if flat else y


def _spare(kernel_size: Window, stride: Window | None, ceil_mode: bool, rank: int) -> int:
    """How far beyond the padding a window may reach when rounding up."""
    steps = spread(kernel_size if stride is None else stride, rank)
    return max((s - 1 for s in steps if isinstance(s, int)), default=0) if ceil_mode else 0


def _over_whole_axes(
    x: Tensor,
    kind: str,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    ceil_mode: bool,
    attributes: dict[str, Any],
    rank: int,
) -> Tensor:
    """Windows of dynamic sizes: those that are a whole axis, which is reduced."""
    window, pads = list(spread(kernel_size, rank)), spread(padding, rank)
    steps = list(window if stride is None else spread(stride, rank))
    whole = [i for i, size in enumerate(window) if isinstance(size, Dim)]
    if any(window[i] != x.shape[2 + i] or pads[i] for i in whole):
        text = f"a window of {window}, of which what is not known must be the input's size, without padding"
        x.network.fail(f"pooling with {text}", {"x": x})
    axes = tuple(2 + i for i in whole)
    y = amax(x, axes, keepdim=True) if kind == "MAX" else mean(x, axes, keepdim=True)
    if len(whole) == rank:
        return y
    for i in whole:
        window[i] = steps[i] = 1
    return _pool(y, kind, window, steps, pads, ceil_mode, attributes, rank)


def _without_windows_of_padding(
    x: Tensor, y: Tensor, window: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...]
) -> Tensor:
    """When rounding up, torch drops a last window that starts beyond the input, and TensorRT keeps it."""
    cuts: dict[int, Cut] = {}
    for a, (size, k, s, p) in enumerate(zip(x.shape[2:], window, strides, pads, strict=True), start=2):
        if p + s - 1 < k:  # no window starts there, whatever the size
            continue
        up = (size + (2 * p - k + s - 1)) // s + 1
        count = smallest(up, (size + (p - 1)) // s + 1)
        if count != up:
            cuts[a] = Cut(0, count)
    return cut(y, cuts)
