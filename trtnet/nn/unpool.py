"""The inverse of max pooling: torch.nn's layers, with their arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from trtnet import ops
from trtnet.graph import Size, Tensor
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import tupled
from trtnet.ops.arguments.window_arguments import Window


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
    """torch.nn.MaxUnpool1d: x [batch, channels, length], indices -> [batch, channels, windows].

    x: any dtype, with or without a batch. indices: int64, of the shape of `x`, as MaxPool1d returns them. kernel_size,
    stride, padding: ints. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.max_unpool1d`.
    Raises LayerError for another rank; ModelError for a wrong number of sizes.
    """

    axes = 1
    function = staticmethod(ops.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """torch.nn.MaxUnpool2d: x [batch, channels, height, width], indices -> [batch, channels, rows, columns].

    x: any dtype, with or without a batch. indices: int64, of the shape of `x`, as MaxPool2d returns them. kernel_size,
    stride, padding: ints or pairs. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.max_unpool2d`.
    Raises LayerError for another rank; ModelError for a wrong number of sizes.
    """

    axes = 2
    function = staticmethod(ops.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """torch.nn.MaxUnpool3d: x [batch, channels, depth, height, width], indices -> [batch, channels, ...].

    x: any dtype, with or without a batch. indices: int64, of the shape of `x`, as MaxPool3d returns them. kernel_size,
    stride, padding: ints or triples. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.max_unpool3d`.
    Raises LayerError for another rank; ModelError for a wrong number of sizes.
    """

    axes = 3
    function = staticmethod(ops.max_unpool3d)
