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
    """torch.nn.ConstantPad1d: x [..., length] -> [..., new length].

    x: any dtype. padding: an int, or (left, right). value: what the new elements are. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "constant".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 1


class ConstantPad2d(_ConstantPad):
    """torch.nn.ConstantPad2d: x [..., height, width] -> [..., rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom). value: what the new elements are. Returns the dtype of
    `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "constant".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """torch.nn.ConstantPad3d: x [..., depth, height, width] -> [..., slices, rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom, front, back). value: what the new elements are. Returns
    the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "constant".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 3


class ZeroPad1d(_ZeroPad):
    """torch.nn.ZeroPad1d: x [..., length] -> [..., new length].

    x: any dtype. padding: an int, or (left, right). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "constant".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 1


class ZeroPad2d(_ZeroPad):
    """torch.nn.ZeroPad2d: x [..., height, width] -> [..., rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "constant".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 2


class ZeroPad3d(_ZeroPad):
    """torch.nn.ZeroPad3d: x [..., depth, height, width] -> [..., slices, rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom, front, back). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "constant".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 3


class ReflectionPad1d(_ReflectionPad):
    """torch.nn.ReflectionPad1d: x [..., length] -> [..., new length].

    x: any dtype. padding: an int, or (left, right). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "reflect".
    Raises LayerError for padding that is not below the size of an axis; ModelError for a wrong number of sizes.
    """

    axes = 1


class ReflectionPad2d(_ReflectionPad):
    """torch.nn.ReflectionPad2d: x [..., height, width] -> [..., rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "reflect".
    Raises LayerError for padding that is not below the size of an axis; ModelError for a wrong number of sizes.
    """

    axes = 2


class ReflectionPad3d(_ReflectionPad):
    """torch.nn.ReflectionPad3d: x [..., depth, height, width] -> [..., slices, rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom, front, back). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "reflect".
    Raises LayerError for padding that is not below the size of an axis; ModelError for a wrong number of sizes.
    """

    axes = 3


class ReplicationPad1d(_ReplicationPad):
    """torch.nn.ReplicationPad1d: x [..., length] -> [..., new length].

    x: any dtype. padding: an int, or (left, right). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "replicate".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 1


class ReplicationPad2d(_ReplicationPad):
    """torch.nn.ReplicationPad2d: x [..., height, width] -> [..., rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "replicate".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 2


class ReplicationPad3d(_ReplicationPad):
    """torch.nn.ReplicationPad3d: x [..., depth, height, width] -> [..., slices, rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom, front, back). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "replicate".
    Raises LayerError for more removed than an axis has; ModelError for a wrong number of sizes.
    """

    axes = 3


class CircularPad1d(_CircularPad):
    """torch.nn.CircularPad1d: x [..., length] -> [..., new length].

    x: any dtype. padding: an int, or (left, right). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "circular".
    Raises LayerError for padding above the size of an axis; ModelError for a wrong number of sizes.
    """

    axes = 1


class CircularPad2d(_CircularPad):
    """torch.nn.CircularPad2d: x [..., height, width] -> [..., rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "circular".
    Raises LayerError for padding above the size of an axis; ModelError for a wrong number of sizes.
    """

    axes = 2


class CircularPad3d(_CircularPad):
    """torch.nn.CircularPad3d: x [..., depth, height, width] -> [..., slices, rows, columns].

    x: any dtype. padding: an int, or (left, right, top, bottom, front, back). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pad` in its mode "circular".
    Raises LayerError for padding above the size of an axis; ModelError for a wrong number of sizes.
    """

    axes = 3
