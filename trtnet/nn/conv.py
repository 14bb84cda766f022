"""Convolution layers."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.module import Module
from trtnet.ops.windows import Padding, Window, spread


class Conv2d(Module):
    """torch.nn.Conv2d: x [batch, in_channels, height, width] -> [batch, out_channels, height', width'].

    Weights: weight [out_channels, in_channels / groups, *kernel_size], bias [out_channels]. padding may also be
    "same" (at any stride, as TensorFlow pads), "valid", or a (before, after) pair an axis.
    """

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
    ) -> None:
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.weight = Parameter(out_channels, in_channels // groups, *spread(kernel_size, 2))
        self.bias = Parameter(out_channels) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class ConvTranspose2d(Module):
    """torch.nn.ConvTranspose2d: x [batch, in_channels, height, width] -> [batch, out_channels, height', width'].

    Weights: weight [in_channels, out_channels / groups, *kernel_size], bias [out_channels].
    """

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
        self.weight = Parameter(in_channels, out_channels // groups, *spread(kernel_size, 2))
        self.bias = Parameter(out_channels) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        geometry = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return ops.conv_transpose2d(x, self.weight, self.bias, *geometry)
