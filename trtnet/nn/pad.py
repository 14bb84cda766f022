"""Layers that pad: torch.nn's, with their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import tupled


class _Pad(Module):
    """Padding of the last `axes` axes: a number for all sides, or numbers as ops.pad takes them."""

    axes: ClassVar[int]
    mode: ClassVar[str] = "constant"

    def __init__(self, padding: int | Sequence[int]) -> None:
        self.padding = tupled(type(self).__name__, "padding", padding, 2 * self.axes)

    def forward(self, x: Tensor) -> Tensor:
        return ops.pad(x, self.padding, self.mode)


class _ConstantPad(_Pad):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return ops.pad(x, self.padding, self.mode, self.value)


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)


class _ReflectionPad(_Pad):
    mode = "reflect"


class _ReplicationPad(_Pad):
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"


class ConstantPad1d(_ConstantPad):
    """torch.nn.ConstantPad1d."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """torch.nn.ConstantPad2d."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """torch.nn.ConstantPad3d."""

    axes = 3


class ZeroPad1d(_ZeroPad):
    """torch.nn.ZeroPad1d."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """torch.nn.ZeroPad2d."""

    axes = 2


class ZeroPad3d(_ZeroPad):
    """torch.nn.ZeroPad3d."""

    axes = 3


class ReflectionPad1d(_ReflectionPad):
    """torch.nn.ReflectionPad1d."""

    axes = 1


class ReflectionPad2d(_ReflectionPad):
    """torch.nn.ReflectionPad2d."""

    axes = 2


class ReflectionPad3d(_ReflectionPad):
    """torch.nn.ReflectionPad3d."""

    axes = 3


class ReplicationPad1d(_ReplicationPad):
    """torch.nn.ReplicationPad1d."""

    axes = 1


class ReplicationPad2d(_ReplicationPad):
    """torch.nn.ReplicationPad2d."""

    axes = 2


class ReplicationPad3d(_ReplicationPad):
    """torch.nn.ReplicationPad3d."""

    axes = 3


class CircularPad1d(_CircularPad):
    """torch.nn.CircularPad1d."""

    axes = 1


class CircularPad2d(_CircularPad):
    """torch.nn.CircularPad2d."""

    axes = 2


class CircularPad3d(_CircularPad):
    """torch.nn.CircularPad3d."""

    axes = 3
