"""Pooling layers: torch.nn's, with their arguments; each is a function of ``trtnet.ops``."""

from __future__ import annotations

from trtnet import ops
from trtnet.nn.core.function import Function
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
    """torch.nn.MaxPool1d: x [batch, channels, length] -> [batch, channels, windows].

    x: floating or integer, with or without a batch. kernel_size, stride, padding, dilation: ints. Returns the dtype of
    `x`; with return_indices also the int64 positions.
    Weights: none.
    Layer: that of `ops.max_pool1d`.
    Raises LayerError for another rank, and for padding of more than half the window.
    """

    function = staticmethod(ops.max_pool1d)


class MaxPool2d(_MaxPool):
    """torch.nn.MaxPool2d: x [batch, channels, height, width] -> [batch, channels, rows, columns].

    x: floating or integer, with or without a batch. kernel_size, stride, padding, dilation: ints or pairs. Returns the
    dtype of `x`; with return_indices also the int64 positions.
    Weights: none.
    Layer: that of `ops.max_pool2d`.
    Raises LayerError for another rank, and for padding of more than half the window.
    """

    function = staticmethod(ops.max_pool2d)


class MaxPool3d(_MaxPool):
    """torch.nn.MaxPool3d: x [batch, channels, depth, height, width] -> [batch, channels, slices, rows, columns].

    x: floating or integer, with or without a batch. kernel_size, stride, padding, dilation: ints or triples. Returns
    the dtype of `x`; with return_indices also the int64 positions.
    Weights: none.
    Layer: that of `ops.max_pool3d`.
    Raises LayerError for another rank, and for padding of more than half the window.
    """

    function = staticmethod(ops.max_pool3d)


class AvgPool1d(Function):
    """torch.nn.AvgPool1d: x [batch, channels, length] -> [batch, channels, windows].

    x: floating, with or without a batch. kernel_size, stride, padding: ints. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.avg_pool1d`.
    Raises LayerError for another rank, and for padding of more than half the window.
    """

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
    """torch.nn.AvgPool2d: x [batch, channels, height, width] -> [batch, channels, rows, columns].

    x: floating, with or without a batch. kernel_size, stride, padding: ints or pairs. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.avg_pool2d`.
    Raises LayerError for another rank, and for padding of more than half the window.
    """

    function = staticmethod(ops.avg_pool2d)


class AvgPool3d(_AvgPool):
    """torch.nn.AvgPool3d: x [batch, channels, depth, height, width] -> [batch, channels, slices, rows, columns].

    x: floating, with or without a batch. kernel_size, stride, padding: ints or triples. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.avg_pool3d`.
    Raises LayerError for another rank, and for padding of more than half the window.
    """

    function = staticmethod(ops.avg_pool3d)


class _AdaptiveAvgPool(Function):
    output_size: OutputSize


class _AdaptiveMaxPool(Function):
    output_size: OutputSize
    return_indices: bool = False


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """torch.nn.AdaptiveAvgPool1d: x [batch, channels, length] -> [batch, channels, *output_size].

    x: floating, with or without a batch. output_size: ints; None keeps a size. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.adaptive_avg_pool1d`.
    Raises LayerError for another rank, and for a size below 1.
    """

    function = staticmethod(ops.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """torch.nn.AdaptiveAvgPool2d: x [batch, channels, height, width] -> [batch, channels, *output_size].

    x: floating, with or without a batch. output_size: ints or pairs; None keeps a size. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.adaptive_avg_pool2d`.
    Raises LayerError for another rank, and for a size below 1.
    """

    function = staticmethod(ops.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """torch.nn.AdaptiveAvgPool3d: x [batch, channels, depth, height, width] -> [batch, channels, *output_size].

    x: floating, with or without a batch. output_size: ints or triples; None keeps a size. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.adaptive_avg_pool3d`.
    Raises LayerError for another rank, and for a size below 1.
    """

    function = staticmethod(ops.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """torch.nn.AdaptiveMaxPool1d: x [batch, channels, length] -> [batch, channels, *output_size].

    x: floating, with or without a batch. output_size: ints; None keeps a size. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.adaptive_max_pool1d`.
    Raises LayerError for another rank, for a size below 1, and for return_indices=True.
    """

    function = staticmethod(ops.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """torch.nn.AdaptiveMaxPool2d: x [batch, channels, height, width] -> [batch, channels, *output_size].

    x: floating, with or without a batch. output_size: ints or pairs; None keeps a size. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.adaptive_max_pool2d`.
    Raises LayerError for another rank, for a size below 1, and for return_indices=True.
    """

    function = staticmethod(ops.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """torch.nn.AdaptiveMaxPool3d: x [batch, channels, depth, height, width] -> [batch, channels, *output_size].

    x: floating, with or without a batch. output_size: ints or triples; None keeps a size. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.adaptive_max_pool3d`.
    Raises LayerError for another rank, for a size below 1, and for return_indices=True.
    """

    function = staticmethod(ops.adaptive_max_pool3d)


class _LPPool(Function):
    norm_type: float
    kernel_size: Window
    stride: Window | None = None
    ceil_mode: bool = False


class LPPool1d(_LPPool):
    """torch.nn.LPPool1d: x [batch, channels, length] -> [batch, channels, windows].

    x: floating, with or without a batch. norm_type: a number. kernel_size, stride: ints. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.lp_pool1d`.
    Raises LayerError for another rank.
    """

    function = staticmethod(ops.lp_pool1d)


class LPPool2d(_LPPool):
    """torch.nn.LPPool2d: x [batch, channels, height, width] -> [batch, channels, rows, columns].

    x: floating, with or without a batch. norm_type: a number. kernel_size, stride: ints or pairs. Returns the dtype of
    `x`.
    Weights: none.
    Layer: that of `ops.lp_pool2d`.
    Raises LayerError for another rank.
    """

    function = staticmethod(ops.lp_pool2d)


class LPPool3d(_LPPool):
    """torch.nn.LPPool3d: x [batch, channels, depth, height, width] -> [batch, channels, slices, rows, columns].

    x: floating, with or without a batch. norm_type: a number. kernel_size, stride: ints or triples. Returns the dtype
    of `x`.
    Weights: none.
    Layer: that of `ops.lp_pool3d`.
    Raises LayerError for another rank.
    """

    function = staticmethod(ops.lp_pool3d)
