"""Activation layers that are linear in pieces: torch.nn's, each the function of the same meaning in ``trtnet.ops``."""

from __future__ import annotations

from dataclasses import InitVar
from typing import ClassVar

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.core.function import Function
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import kept
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here


class ReLU(Function):
    """torch.nn.ReLU: x [...] -> [...], of the same shape.

    x: any shape, floating or integer. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.relu`.
    Raises LayerError for what `ops.relu` refuses.
    """

    function = staticmethod(ops.relu)
    inplace: bool = False


class ReLU6(Function):
    """torch.nn.ReLU6: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.relu6`.
    Raises LayerError for what `ops.relu6` refuses.
    """

    function = staticmethod(ops.relu6)
    min_val: ClassVar[float] = 0.0
    max_val: ClassVar[float] = 6.0
    inplace: bool = False


class LeakyReLU(Function):
    """torch.nn.LeakyReLU: x [...] -> [...], of the same shape.

    x: any shape, floating. negative_slope: the factor below 0. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.leaky_relu`.
    Raises LayerError for what `ops.leaky_relu` refuses.
    """

    function = staticmethod(ops.leaky_relu)
    negative_slope: float = 0.01
    inplace: bool = False


class RReLU(Function):
    """torch.nn.RReLU: x [...] -> [...], of the same shape.

    x: any shape, floating. lower, upper: the slopes whose mean is the factor below 0. Returns the shape and dtype of
    `x`.
    Weights: none.
    Layer: that of `ops.rrelu`.
    Raises LayerError for what `ops.rrelu` refuses.
    """

    function = staticmethod(ops.rrelu)
    lower: float = 1 / 8
    upper: float = 1 / 3
    inplace: bool = False


class Hardtanh(Function):
    """torch.nn.Hardtanh: x [...] -> [...], of the same shape.

    x: any shape, floating. min_val, max_val: the limits; min_value and max_value are their older names. Returns the
    shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.hardtanh`.
    Raises ModelError for a max_val that is not above min_val, LayerError for what `ops.hardtanh` refuses.
    """

    function = staticmethod(ops.hardtanh)
    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False
    min_value: InitVar[float | None] = None
    max_value: InitVar[float | None] = None

    def __post_init__(self, min_value: float | None, max_value: float | None) -> None:
        self.min_val = self.min_val if min_value is None else min_value
        self.max_val = self.max_val if max_value is None else max_value
        if not self.max_val > self.min_val:
            text = f"Hardtanh takes a max_val above min_val, found {self.max_val} and {self.min_val}"
            raise ModelError(here(text))


class Hardsigmoid(Function):
    """torch.nn.Hardsigmoid: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.hardsigmoid`.
    Raises LayerError for what `ops.hardsigmoid` refuses.
    """

    function = staticmethod(ops.hardsigmoid)
    inplace: bool = False


class Hardswish(Function):
    """torch.nn.Hardswish: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.hardswish`.
    Raises LayerError for what `ops.hardswish` refuses.
    """

    function = staticmethod(ops.hardswish)
    inplace: bool = False


class Hardshrink(Function):
    """torch.nn.Hardshrink: x [...] -> [...], of the same shape.

    x: any shape, floating. lambd: the limit below which an element is 0. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.hardshrink`.
    Raises LayerError for what `ops.hardshrink` refuses.
    """

    function = staticmethod(ops.hardshrink)
    lambd: float = 0.5


class Softshrink(Function):
    """torch.nn.Softshrink: x [...] -> [...], of the same shape.

    x: any shape, floating. lambd: how far an element moves toward 0. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.softshrink`.
    Raises LayerError for what `ops.softshrink` refuses.
    """

    function = staticmethod(ops.softshrink)
    lambd: float = 0.5


class Threshold(Function):
    """torch.nn.Threshold: x [...] -> [...], of the same shape.

    x: any shape, floating or integer. threshold, value: numbers. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.threshold`.
    Raises LayerError for what `ops.threshold` refuses.
    """

    function = staticmethod(ops.threshold)
    threshold: float
    value: float
    inplace: bool = False


class PReLU(Module):
    """torch.nn.PReLU: x [batch, num_parameters, ...] -> the same shape.

    x: floating. init: used in training only. Returns the shape and dtype of `x`.
    Weights: weight [num_parameters].
    Layer: that of `ops.prelu`.
    Raises LayerError for another number of channels than num_parameters, if that is not 1.
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: object = None, dtype: DTypeLike | None = None
    ) -> None:
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(num_parameters, dtype=kept(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return ops.prelu(x, self.weight)
