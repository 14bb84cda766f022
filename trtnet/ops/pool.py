"""Pooling, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from typing import Any

from trtnet.backend import trt
from trtnet.graph import Tensor
from trtnet.ops.reduce import mean
from trtnet.ops.windows import Window, kept, spread


def max_pool2d(
    x: Tensor, kernel_size: Window, stride: Window | None = None, padding: Window = 0, ceil_mode: bool = False
) -> Tensor:
    """The largest of each window; padding never wins. x: [batch, channels, height, width]. Layer: IPoolingLayer MAX."""
    return _pool(x, "MAX", kernel_size, stride, padding, ceil_mode, {})


def avg_pool2d(
    x: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window, over the padding's zeros too unless count_include_pad is False.

    x: [batch, channels, height, width]. Layer: IPoolingLayer AVERAGE.
    """
    attributes = {"average_count_excludes_padding": not count_include_pad}
    return _pool(x, "AVERAGE", kernel_size, stride, padding, ceil_mode, attributes)


def adaptive_avg_pool2d(x: Tensor, output_size: int | tuple[int, int]) -> Tensor:
    """The means of a grid of output_size windows; the input's height and width are multiples of it, or it is 1.

    x: [batch, channels, height, width]. Layer: IReduceLayer AVG for 1, else IPoolingLayer AVERAGE.
    """
    wanted = spread(output_size, 2)
    if wanted == (1, 1):
        return mean(x, (-2, -1), keepdim=True)
    sizes = x.shape[-2:]
    if not all(isinstance(size, int) and size % count == 0 for size, count in zip(sizes, wanted, strict=True)):
        found = f"found {sizes[0]}x{sizes[1]} for {wanted[0]}x{wanted[1]}"
        x.network.fail(f"adaptive_avg_pool2d needs a fixed size that is a multiple of the output's, {found}", {"x": x})
    return avg_pool2d(x, tuple(int(size) // count for size, count in zip(sizes, wanted, strict=True)))


def _pool(
    x: Tensor,
    kind: str,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    ceil_mode: bool,
    attributes: dict[str, Any],
) -> Tensor:
    window, pads = spread(kernel_size, 2), spread(padding, 2)
    strides = window if stride is None else spread(stride, 2)
    if any(2 * pad > size for pad, size in zip(pads, window, strict=True)):
        x.network.fail(f"pooling: padding {pads} is more than half of the window {window}", {"x": x})
    rounding = trt.PaddingMode.EXPLICIT_ROUND_UP if ceil_mode else trt.PaddingMode.EXPLICIT_ROUND_DOWN
    geometry = {"stride_nd": strides, "pre_padding": pads, "post_padding": pads, "padding_mode": rounding}
    extent = [size - 1 for size in window]
    (y,) = x.network.add(
        "pooling_nd",
        {"input": x, "type": getattr(trt.PoolingType, kind), "window_size": window},
        attributes=geometry | attributes,
        name=f"{kind.lower()}_pool",
        dims=[(x.shape[0], x.shape[1], *kept(x, 2, strides, extent, pads))],
    )
    return y
