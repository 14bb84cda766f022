"""Pooling layers."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.nn.module import Module
from trtnet.ops.windows import Window


class MaxPool2d(Module):
    """torch.nn.MaxPool2d; see ops.max_pool2d."""

    def __init__(
        self, kernel_size: Window, stride: Window | None = None, padding: Window = 0, ceil_mode: bool = False
    ) -> None:
        self.kernel_size, self.stride, self.padding, self.ceil_mode = kernel_size, stride, padding, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode)


class AvgPool2d(Module):
    """torch.nn.AvgPool2d; see ops.avg_pool2d."""

    def __init__(
        self,
        kernel_size: Window,
        stride: Window | None = None,
        padding: Window = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AdaptiveAvgPool2d(Module):
    """torch.nn.AdaptiveAvgPool2d; see ops.adaptive_avg_pool2d."""

    def __init__(self, output_size: int | tuple[int, int]) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return ops.adaptive_avg_pool2d(x, self.output_size)
