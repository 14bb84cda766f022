"""Pooling layers: torch.nn's, with their arguments; each is a function of ``trtnet.ops``."""

from __future__ import annotations

from trtnet import ops
from trtnet.nn.function import Function


class MaxPool1d(Function):
    """torch.nn.MaxPool1d: see ops.max_pool1d."""

    function = staticmethod(ops.max_pool1d)


class MaxPool2d(Function):
    """torch.nn.MaxPool2d: see ops.max_pool2d."""

    function = staticmethod(ops.max_pool2d)


class MaxPool3d(Function):
    """torch.nn.MaxPool3d: see ops.max_pool3d."""

    function = staticmethod(ops.max_pool3d)


class AvgPool1d(Function):
    """torch.nn.AvgPool1d: see ops.avg_pool1d."""

    function = staticmethod(ops.avg_pool1d)


class AvgPool2d(Function):
    """torch.nn.AvgPool2d: see ops.avg_pool2d."""

    function = staticmethod(ops.avg_pool2d)


class AvgPool3d(Function):
    """torch.nn.AvgPool3d: see ops.avg_pool3d."""

    function = staticmethod(ops.avg_pool3d)


class AdaptiveAvgPool1d(Function):
    """torch.nn.AdaptiveAvgPool1d: see ops.adaptive_avg_pool1d."""

    function = staticmethod(ops.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(Function):
    """torch.nn.AdaptiveAvgPool2d: see ops.adaptive_avg_pool2d."""

    function = staticmethod(ops.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(Function):
    """torch.nn.AdaptiveAvgPool3d: see ops.adaptive_avg_pool3d."""

    function = staticmethod(ops.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(Function):
    """torch.nn.AdaptiveMaxPool1d: see ops.adaptive_max_pool1d."""

    function = staticmethod(ops.adaptive_max_pool1d)


class AdaptiveMaxPool2d(Function):
    """torch.nn.AdaptiveMaxPool2d: see ops.adaptive_max_pool2d."""

    function = staticmethod(ops.adaptive_max_pool2d)


class AdaptiveMaxPool3d(Function):
    """torch.nn.AdaptiveMaxPool3d: see ops.adaptive_max_pool3d."""

    function = staticmethod(ops.adaptive_max_pool3d)
