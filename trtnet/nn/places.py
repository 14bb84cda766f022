"""Layers that put values elsewhere: torch.nn's, with their arguments."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.nn.function import Function
from trtnet.nn.module import Module


class Upsample(Function):
    """torch.nn.Upsample: see ops.interpolate."""

    function = staticmethod(ops.interpolate)


class PixelShuffle(Function):
    """torch.nn.PixelShuffle."""

    function = staticmethod(ops.pixel_shuffle)


class PixelUnshuffle(Function):
    """torch.nn.PixelUnshuffle."""

    function = staticmethod(ops.pixel_unshuffle)


class ChannelShuffle(Function):
    """torch.nn.ChannelShuffle."""

    function = staticmethod(ops.channel_shuffle)


class Unfold(Function):
    """torch.nn.Unfold."""

    function = staticmethod(ops.unfold)


class Fold(Function):
    """torch.nn.Fold."""

    function = staticmethod(ops.fold)


class LocalResponseNorm(Function):
    """torch.nn.LocalResponseNorm."""

    function = staticmethod(ops.local_response_norm)


class _Pad(Module):
    """Padding of the last `axes` axes: a number for all sides, or numbers as ops.pad takes them."""

    axes: int
    mode = "constant"

    def __init__(self, padding: int | tuple[int, ...], value: float = 0.0) -> None:
        self.padding = (padding,) * (2 * self.axes) if isinstance(padding, int) else padding
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return ops.pad(x, self.padding, self.mode, self.value)


class ConstantPad1d(_Pad):
    """torch.nn.ConstantPad1d."""

    axes = 1


class ConstantPad2d(_Pad):
    """torch.nn.ConstantPad2d."""

    axes = 2


class ConstantPad3d(_Pad):
    """torch.nn.ConstantPad3d."""

    axes = 3


class ZeroPad1d(_Pad):
    """torch.nn.ZeroPad1d."""

    axes = 1


class ZeroPad2d(_Pad):
    """torch.nn.ZeroPad2d."""

    axes = 2


class ZeroPad3d(_Pad):
    """torch.nn.ZeroPad3d."""

    axes = 3


class ReflectionPad1d(_Pad):
    """torch.nn.ReflectionPad1d."""

    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """torch.nn.ReflectionPad2d."""

    axes = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """torch.nn.ReflectionPad3d."""

    axes = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """torch.nn.ReplicationPad1d."""

    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """torch.nn.ReplicationPad2d."""

    axes = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """torch.nn.ReplicationPad3d."""

    axes = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """torch.nn.CircularPad1d."""

    axes = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """torch.nn.CircularPad2d."""

    axes = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """torch.nn.CircularPad3d."""

    axes = 3
    mode = "circular"
