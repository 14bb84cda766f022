"""Pooling layers: torch.nn's, with their arguments; each is a function of ``trtnet.ops``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from trtnet import ops
from trtnet.graph import Size, Tensor
from trtnet.nn.core.function import Function
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import tupled
from trtnet.ops.arguments.window_arguments import Window
from trtnet.ops.pooling.adaptive import OutputSize


class _MaxPool(Function):
    kernel_size: Window
    stride: Window | None = None
    padding: Window = 0
    dilation: Window = 1
    return_indices: bool = False
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        self.stride = self.kernel_size if self.stride is None else self.stride


class MaxPool1d(_MaxPool):
    """torch.nn.MaxPool1d: see ops.max_pool1d."""

    function = staticmethod(ops.max_pool1d)


class MaxPool2d(_MaxPool):
    """torch.nn.MaxPool2d: see ops.max_pool2d."""

    function = staticmethod(ops.max_pool2d)


class MaxPool3d(_MaxPool):
    """torch.nn.MaxPool3d: see ops.max_pool3d."""

    function = staticmethod(ops.max_pool3d)


class AvgPool1d(Function):
    """torch.nn.AvgPool1d: see ops.avg_pool1d."""

    function = staticmethod(ops.avg_pool1d)
    kernel_size: Window
    stride: Window | None = None
    padding: Window = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        stride = self.kernel_size if self.stride is None else self.stride
        self.kernel_size = tupled("AvgPool1d", "kernel_size", self.kernel_size, 1)
        self.stride = tupled("AvgPool1d", "stride", stride, 1)
        self.padding = tupled("AvgPool1d", "padding", self.padding, 1)


class _AvgPool(Function):
    kernel_size: Window
    stride: Window | None = None
    padding: Window = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        self.stride = self.kernel_size if self.stride is None else self.stride


class AvgPool2d(_AvgPool):
    """torch.nn.AvgPool2d: see ops.avg_pool2d."""

    function = staticmethod(ops.avg_pool2d)


class AvgPool3d(_AvgPool):
    """torch.nn.AvgPool3d: see ops.avg_pool3d."""

    function = staticmethod(ops.avg_pool3d)


class _AdaptiveAvgPool(Function):
    output_size: OutputSize


class _AdaptiveMaxPool(Function):
    output_size: OutputSize
    return_indices: bool = False


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """torch.nn.AdaptiveAvgPool1d: see ops.adaptive_avg_pool1d."""

    function = staticmethod(ops.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """torch.nn.AdaptiveAvgPool2d: see ops.adaptive_avg_pool2d."""

    function = staticmethod(ops.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """torch.nn.AdaptiveAvgPool3d: see ops.adaptive_avg_pool3d."""

    function = staticmethod(ops.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """torch.nn.AdaptiveMaxPool1d: see ops.adaptive_max_pool1d."""

    function = staticmethod(ops.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """torch.nn.AdaptiveMaxPool2d: see ops.adaptive_max_pool2d."""

    function = staticmethod(ops.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """torch.nn.AdaptiveMaxPool3d: see ops.adaptive_max_pool3d."""

    function = staticmethod(ops.adaptive_max_pool3d)


class _LPPool(Function):
    norm_type: float
    kernel_size: Window
    stride: Window | None = None
    ceil_mode: bool = False


class LPPool1d(_LPPool):
    """torch.nn.LPPool1d: see ops.lp_pool1d."""

    function = staticmethod(ops.lp_pool1d)


class LPPool2d(_LPPool):
    """torch.nn.LPPool2d: see ops.lp_pool2d."""

    function = staticmethod(ops.lp_pool2d)


class LPPool3d(_LPPool):
    """torch.nn.LPPool3d: see ops.lp_pool3d."""

    function = staticmethod(ops.lp_pool3d)


class _MaxUnpool(Module):
    """Elements back at the places from which a MaxPool with return_indices took them."""

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, kernel_size: Window, stride: Window | None = None, padding: Window = 0) -> None:
        kind = type(self).__name__
        self.kernel_size = tupled(kind, "kernel_size", kernel_size, self.axes)
        self.stride = tupled(kind, "stride", kernel_size if stride is None else stride, self.axes)
        self.padding = tupled(kind, "padding", padding, self.axes)

    def forward(self, x: Tensor, indices: Tensor, output_size: Sequence[Size] | None = None) -> Tensor:
        return type(self).function(x, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool):
    """torch.nn.MaxUnpool1d: see ops.max_unpool1d."""

    axes = 1
    function = staticmethod(ops.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """torch.nn.MaxUnpool2d: see ops.max_unpool2d."""

    axes = 2
    function = staticmethod(ops.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """torch.nn.MaxUnpool3d: see ops.max_unpool3d."""

    axes = 3
    function = staticmethod(ops.max_unpool3d)
