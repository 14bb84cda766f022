"""Activation layers: torch.nn's, with their arguments; each is the function of the same meaning in ``trtnet.ops``."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any, ClassVar

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.graph.source import here
from trtnet.nn.core.function import Function
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import kept
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError


class ReLU(Function):
    """torch.nn.ReLU."""

    function = staticmethod(ops.relu)
    inplace: bool = False


class ReLU6(Function):
    """torch.nn.ReLU6."""

    function = staticmethod(ops.relu6)
    min_val: ClassVar[float] = 0.0
    max_val: ClassVar[float] = 6.0
    inplace: bool = False


class Sigmoid(Function):
    """torch.nn.Sigmoid."""

    function = staticmethod(ops.sigmoid)


class Tanh(Function):
    """torch.nn.Tanh."""

    function = staticmethod(ops.tanh)


class SiLU(Function):
    """torch.nn.SiLU."""

    function = staticmethod(ops.silu)
    inplace: bool = False


class GELU(Function):
    """torch.nn.GELU."""

    function = staticmethod(ops.gelu)
    approximate: str = "none"


class ELU(Function):
    """torch.nn.ELU."""

    function = staticmethod(ops.elu)
    alpha: float = 1.0
    inplace: bool = False


class SELU(Function):
    """torch.nn.SELU."""

    function = staticmethod(ops.selu)
    inplace: bool = False


class CELU(Function):
    """torch.nn.CELU."""

    function = staticmethod(ops.celu)
    alpha: float = 1.0
    inplace: bool = False


class Mish(Function):
    """torch.nn.Mish."""

    function = staticmethod(ops.mish)
    inplace: bool = False


class LeakyReLU(Function):
    """torch.nn.LeakyReLU."""

    function = staticmethod(ops.leaky_relu)
    negative_slope: float = 0.01
    inplace: bool = False


class RReLU(Function):
    """torch.nn.RReLU."""

    function = staticmethod(ops.rrelu)
    lower: float = 1 / 8
    upper: float = 1 / 3
    inplace: bool = False


class Hardtanh(Function):
    """torch.nn.Hardtanh; min_value and max_value are older names of min_val and max_val."""

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
    """torch.nn.Hardsigmoid."""

    function = staticmethod(ops.hardsigmoid)
    inplace: bool = False


class Hardswish(Function):
    """torch.nn.Hardswish."""

    function = staticmethod(ops.hardswish)
    inplace: bool = False


class Hardshrink(Function):
    """torch.nn.Hardshrink."""

    function = staticmethod(ops.hardshrink)
    lambd: float = 0.5


class Softshrink(Function):
    """torch.nn.Softshrink."""

    function = staticmethod(ops.softshrink)
    lambd: float = 0.5


class Tanhshrink(Function):
    """torch.nn.Tanhshrink."""

    function = staticmethod(ops.tanhshrink)


class Softplus(Function):
    """torch.nn.Softplus."""

    function = staticmethod(ops.softplus)
    beta: float = 1.0
    threshold: float = 20.0


class Softsign(Function):
    """torch.nn.Softsign."""

    function = staticmethod(ops.softsign)


class LogSigmoid(Function):
    """torch.nn.LogSigmoid."""

    function = staticmethod(ops.logsigmoid)


class Threshold(Function):
    """torch.nn.Threshold."""

    function = staticmethod(ops.threshold)
    threshold: float
    value: float
    inplace: bool = False


class GLU(Function):
    """torch.nn.GLU."""

    function = staticmethod(ops.glu)
    dim: int = -1


class _Softmax(Function):
    """A softmax along `dim`; without one torch takes axis 0 of an input of 0, 1 or 3 dimensions, else axis 1."""

    dim: int | None = None

    def settings(self, x: Tensor) -> dict[str, Any]:
        return {"dim": (0 if x.ndim in (0, 1, 3) else 1) if self.dim is None else self.dim}


class Softmax(_Softmax):
    """torch.nn.Softmax."""

    function = staticmethod(ops.softmax)


class Softmin(_Softmax):
    """torch.nn.Softmin."""

    function = staticmethod(ops.softmin)


class LogSoftmax(_Softmax):
    """torch.nn.LogSoftmax."""

    function = staticmethod(ops.log_softmax)


class Softmax2d(Module):
    """torch.nn.Softmax2d: softmax over the channels of x [batch, channels, height, width], or without a batch."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4):
            x.network.fail(f"Softmax2d takes an input of 3 or 4 dimensions, found {x.ndim}", {"x": x})
        return ops.softmax(x, -3)


class PReLU(Module):
    """torch.nn.PReLU: x [batch, num_parameters, ...]. Weight: weight [num_parameters]. init: training's."""

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: object = None, dtype: DTypeLike | None = None
    ) -> None:
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(num_parameters, dtype=kept(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return ops.prelu(x, self.weight)
