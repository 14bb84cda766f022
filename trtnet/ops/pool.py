"""Pooling, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from math import prod
from typing import Any

from trtnet.backend import trt
from trtnet.graph import Tensor
from trtnet.graph.dim import smallest
from trtnet.ops.create import ones_like
from trtnet.ops.division import div
from trtnet.ops.elementwise import mul
from trtnet.ops.slicing import Cut, cut
from trtnet.ops.windows import Window, geometry, kept, lift, spread


def max_pool(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    dilation: Window,
    ceil_mode: bool,
    rank: int,
) -> Tensor:
    """max_pool1d, 2d or 3d by `rank`."""
    if any(d != 1 for d in spread(dilation, rank)):
        x.network.fail(f"max_pool: TensorRT's windows have no dilation, found {dilation}", {"x": x})
    return _pool(x, "MAX", kernel_size, stride, padding, ceil_mode, {}, rank)


def max_pool1d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    dilation: Window = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest of each window of x [batch, channels, length]; padding never wins. Layer: IPoolingLayer MAX."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, rank=1)


def max_pool2d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    dilation: Window = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """max_pool1d of x [batch, channels, height, width]."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, rank=2)


def max_pool3d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    dilation: Window = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """max_pool1d of x [batch, channels, depth, height, width]."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, rank=3)


def avg_pool1d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of x [batch, channels, length], over the padding's zeros too unless told otherwise.

    Layer: IPoolingLayer AVERAGE.
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
    if divisor is None and ceil_mode and not count_include_pad and _reaches_beyond(kernel_size, stride, padding, rank):
        # TensorRT refuses to leave out padding that may fill a window: both means count it, and it cancels
        inside = ones_like(x[:, :1])
        total, part = (avg_pool(y, kernel_size, stride, padding, True, True, None, rank) for y in (x, inside))
        return div(total, part)
    if divisor is None:
        attributes = {"average_count_excludes_padding": not count_include_pad}
        return _pool(x, "AVERAGE", kernel_size, stride, padding, ceil_mode, attributes, rank)
    if ceil_mode:
        x.network.fail("avg_pool: divisor_override and ceil_mode together are not supported", {"x": x})
    attributes = {"average_count_excludes_padding": False}
    means = _pool(x, "AVERAGE", kernel_size, stride, padding, False, attributes, rank)
    return mul(means, prod(spread(kernel_size, rank)) / divisor)


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
    if x.ndim != rank + 2:
        x.network.fail(f"pooling of {rank} axes takes an input of {rank + 2} dimensions, found {x.ndim}", {"x": x})
    image, flat = lift(x, rank)
    window, pads = geometry(kernel_size, rank, 1), geometry(padding, rank, 0)
    strides = window if stride is None else geometry(stride, rank, 1)
    if any(2 * pad > size for pad, size in zip(pads, window, strict=True)):
        x.network.fail(f"pooling: padding {pads} is more than half of the window {window}", {"x": x})
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


def _reaches_beyond(kernel_size: Window, stride: Window | None, padding: Window, rank: int) -> bool:
    """Whether rounding up may give a window that starts beyond the input."""
    steps = kernel_size if stride is None else stride
    sizes = (spread(value, rank) for value in (kernel_size, steps, padding))
    return any(p + s - 1 >= k for k, s, p in zip(*sizes, strict=True))


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
