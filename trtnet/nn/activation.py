"""Activation layers: torch.nn's, with their arguments; each is the function of the same meaning in ``trtnet.ops``."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.function import Function
from trtnet.nn.module import Module


class ReLU(Function):
    """torch.nn.ReLU."""

    function = staticmethod(ops.relu)


class ReLU6(Function):
    """torch.nn.ReLU6."""

    function = staticmethod(ops.relu6)


class Sigmoid(Function):
    """torch.nn.Sigmoid."""

    function = staticmethod(ops.sigmoid)


class Tanh(Function):
    """torch.nn.Tanh."""

    function = staticmethod(ops.tanh)


class SiLU(Function):
    """torch.nn.SiLU."""

    function = staticmethod(ops.silu)


class GELU(Function):
    """torch.nn.GELU."""

    function = staticmethod(ops.gelu)


class ELU(Function):
    """torch.nn.ELU."""

    function = staticmethod(ops.elu)


class SELU(Function):
    """torch.nn.SELU."""

    function = staticmethod(ops.selu)


class CELU(Function):
    """torch.nn.CELU."""

    function = staticmethod(ops.celu)


class Mish(Function):
    """torch.nn.Mish."""

    function = staticmethod(ops.mish)


class LeakyReLU(Function):
    """torch.nn.LeakyReLU."""

    function = staticmethod(ops.leaky_relu)


class RReLU(Function):
    """torch.nn.RReLU."""

    function = staticmethod(ops.rrelu)


class Hardtanh(Function):
    """torch.nn.Hardtanh."""

    function = staticmethod(ops.hardtanh)


class Hardsigmoid(Function):
    """torch.nn.Hardsigmoid."""

    function = staticmethod(ops.hardsigmoid)


class Hardswish(Function):
    """torch.nn.Hardswish."""

    function = staticmethod(ops.hardswish)


class Hardshrink(Function):
    """torch.nn.Hardshrink."""

    function = staticmethod(ops.hardshrink)


class Softshrink(Function):
    """torch.nn.Softshrink."""

    function = staticmethod(ops.softshrink)


class Tanhshrink(Function):
    """torch.nn.Tanhshrink."""

    function = staticmethod(ops.tanhshrink)


class Softplus(Function):
    """torch.nn.Softplus."""

    function = staticmethod(ops.softplus)


class Softsign(Function):
    """torch.nn.Softsign."""

    function = staticmethod(ops.softsign)


class LogSigmoid(Function):
    """torch.nn.LogSigmoid."""

    function = staticmethod(ops.logsigmoid)


class Threshold(Function):
    """torch.nn.Threshold."""

    function = staticmethod(ops.threshold)


class GLU(Function):
    """torch.nn.GLU."""

    function = staticmethod(ops.glu)


class Softmax(Function):
    """torch.nn.Softmax; `dim` must be given."""

    function = staticmethod(ops.softmax)


class Softmin(Function):
    """torch.nn.Softmin; `dim` must be given."""

    function = staticmethod(ops.softmin)


class LogSoftmax(Function):
    """torch.nn.LogSoftmax; `dim` must be given."""

    function = staticmethod(ops.log_softmax)


class PReLU(Module):
    """torch.nn.PReLU: x [batch, num_parameters, ...]. Weight: weight [num_parameters]."""

    def __init__(self, num_parameters: int = 1) -> None:
        self.weight = Parameter(num_parameters)

    def forward(self, x: Tensor) -> Tensor:
        return ops.prelu(x, self.weight)
