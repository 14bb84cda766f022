"""Convolution layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.module import Module
from trtnet.ops.pad import MODES
from trtnet.ops.windows import Padding, Window, pairs, spread


class _Conv(Module):
    """A convolution over the last `axes` axes.

    x: [batch, in_channels, ...] -> [batch, out_channels, ...]. Weights: weight [out_channels, in_channels / groups,
    *kernel_size], bias [out_channels]. padding may also be "same" (at any stride, as TensorFlow pads), "valid", or a
    (before, after) pair an axis. padding_mode: "zeros", "reflect", "replicate" or "circular".
    """

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Window,
        stride: Window = 1,
        padding: Padding = 0,
        dilation: Window = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.padding_mode = padding_mode
        self.weight = Parameter(out_channels, in_channels // groups, *spread(kernel_size, self.axes))
        self.bias = Parameter(out_channels) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = self._padded(x), 0
        return type(self).function(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _padded(self, x: Tensor) -> Tensor:
        if self.padding_mode not in MODES or self.padding_mode == "constant":
            x.network.fail(f"padding_mode is zeros, reflect, replicate or circular, found {self.padding_mode!r}", {})
        sides = self._same() if self.padding == "same" else self.padding
        before, after = pairs(0 if isinstance(sides, str) else sides, self.axes)
        pad = [side for pair in reversed(list(zip(before, after, strict=True))) for side in pair]
        return ops.pad(x, pad, self.padding_mode)

    def _same(self) -> list[tuple[int, int]]:
        """torch's "same" at stride 1: the odd pixel after."""
        kernel = self.weight.shape[2:]
        totals = [d * (k - 1) for d, k in zip(spread(self.dilation, self.axes), kernel, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]


class Conv1d(_Conv):
    """torch.nn.Conv1d: x [batch, in_channels, length]; weights and arguments as those of Conv2d."""

    axes = 1
    function = staticmethod(ops.conv1d)


class Conv2d(_Conv):
    """torch.nn.Conv2d: x [batch, in_channels, height, width] -> [batch, out_channels, height', width'].

    Weights: weight [out_channels, in_channels / groups, *kernel_size], bias [out_channels]. padding may also be
    "same" (at any stride, as TensorFlow pads), "valid", or a (before, after) pair an axis.
    """

    axes = 2
    function = staticmethod(ops.conv2d)


class Conv3d(_Conv):
    """torch.nn.Conv3d: x [batch, in_channels, depth, height, width]; weights and arguments as those of Conv2d."""

    axes = 3
    function = staticmethod(ops.conv3d)


class _ConvTranspose(Module):
    """A transposed convolution over the last `axes` axes.

    Weights: weight [in_channels, out_channels / groups, *kernel_size], bias [out_channels].
    """

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Window,
        stride: Window = 1,
        padding: Window = 0,
        output_padding: Window = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Window = 1,
    ) -> None:
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.groups, self.dilation = groups, dilation
        self.weight = Parameter(in_channels, out_channels // groups, *spread(kernel_size, self.axes))
        self.bias = Parameter(out_channels) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        geometry = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return type(self).function(x, self.weight, self.bias, *geometry)


class ConvTranspose1d(_ConvTranspose):
    """torch.nn.ConvTranspose1d: x [batch, in_channels, length]."""

    axes = 1
    function = staticmethod(ops.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """torch.nn.ConvTranspose2d: x [batch, in_channels, height, width] -> [batch, out_channels, height', width'].

    Weights: weight [in_channels, out_channels / groups, *kernel_size], bias [out_channels].
    """

    axes = 2
    function = staticmethod(ops.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """torch.nn.ConvTranspose3d: x [batch, in_channels, depth, height, width]."""

    axes = 3
    function = staticmethod(ops.conv_transpose3d)
