"""One pooling layer, and what TensorRT does differently from torch."""

from __future__ import annotations

from typing import Any

from trtnet.graph import Dim, Tensor
from trtnet.graph.sizes.dim import smallest
from trtnet.ops.arguments.window_arguments import Window, geometry, kept, lift, spread
from trtnet.ops.pooling.windows import Windows
from trtnet.ops.reductions.reduce import amax, mean
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.backend import trt


def pool_layer(x: Tensor, kind: str, windows: Windows, attributes: dict[str, Any]) -> Tensor:
    """IPoolingLayer of windows without dilation, and torch's number of them."""
    rank = windows.rank
    image, flat = lift(x, rank)
    sizes, strides = geometry(windows.sizes, rank, 1), geometry(windows.strides, rank, 1)
    pads = geometry(windows.pads, rank, 0)
    rounding = trt.PaddingMode.EXPLICIT_ROUND_UP if windows.rounds_up else trt.PaddingMode.EXPLICIT_ROUND_DOWN
    places = {"stride_nd": strides, "pre_padding": pads, "post_padding": pads, "padding_mode": rounding}
    extent = [size - 1 for size in sizes]
    (y,) = x.network.add(
        "pooling_nd",
        {"input": image, "type": getattr(trt.PoolingType, kind), "window_size": sizes},
        attributes=places | attributes,
        name=f"{kind.lower()}_pool",
        dims=[(x.shape[0], x.shape[1], *kept(image, len(sizes), strides, extent, list(pads)))],
    )
    y = _without_windows_of_padding(image, y, sizes, strides, pads) if windows.rounds_up else y
    return y.squeeze(2) if flat else y


def spare(kernel_size: Window, stride: Window | None, ceil_mode: bool, rank: int) -> int:
    """How far beyond the padding a window may reach when rounding up."""
    steps = spread(kernel_size if stride is None else stride, rank)
    return max((s - 1 for s in steps if isinstance(s, int)), default=0) if ceil_mode else 0


def over_whole_axes(
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
    return pool_layer(y, kind, Windows.of(window, steps, pads, ceil_mode, rank), attributes)


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
