"""Activation layers: torch.nn's, with their arguments; each is the function of the same meaning in ``trtnet.ops``."""

from __future__ import annotations

from typing import Any

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.nn.core.function import Function
from trtnet.nn.core.module import Module


class Sigmoid(Function):
    """torch.nn.Sigmoid: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`; float32 for integers.
    Weights: none.
    Layer: that of `ops.sigmoid`.
    Raises LayerError for what `ops.sigmoid` refuses.
    """

    function = staticmethod(ops.sigmoid)


class Tanh(Function):
    """torch.nn.Tanh: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`; float32 for integers.
    Weights: none.
    Layer: that of `ops.tanh`.
    Raises LayerError for what `ops.tanh` refuses.
    """

    function = staticmethod(ops.tanh)


class SiLU(Function):
    """torch.nn.SiLU: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`; float32 for integers.
    Weights: none.
    Layer: that of `ops.silu`.
    Raises LayerError for what `ops.silu` refuses.
    """

    function = staticmethod(ops.silu)
    inplace: bool = False


class GELU(Function):
    """torch.nn.GELU: x [...] -> [...], of the same shape.

    x: any shape, floating. approximate: "none" or "tanh". Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.gelu`.
    Raises LayerError for what `ops.gelu` refuses.
    """

    function = staticmethod(ops.gelu)
    approximate: str = "none"


class ELU(Function):
    """torch.nn.ELU: x [...] -> [...], of the same shape.

    x: any shape, floating. alpha: the scale below 0. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.elu`.
    Raises LayerError for what `ops.elu` refuses.
    """

    function = staticmethod(ops.elu)
    alpha: float = 1.0
    inplace: bool = False


class SELU(Function):
    """torch.nn.SELU: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.selu`.
    Raises LayerError for what `ops.selu` refuses.
    """

    function = staticmethod(ops.selu)
    inplace: bool = False


class CELU(Function):
    """torch.nn.CELU: x [...] -> [...], of the same shape.

    x: any shape, floating. alpha: not 0. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.celu`.
    Raises LayerError for what `ops.celu` refuses.
    """

    function = staticmethod(ops.celu)
    alpha: float = 1.0
    inplace: bool = False


class Mish(Function):
    """torch.nn.Mish: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.mish`.
    Raises LayerError for what `ops.mish` refuses.
    """

    function = staticmethod(ops.mish)
    inplace: bool = False


class Tanhshrink(Function):
    """torch.nn.Tanhshrink: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.tanhshrink`.
    Raises LayerError for what `ops.tanhshrink` refuses.
    """

    function = staticmethod(ops.tanhshrink)


class Softplus(Function):
    """torch.nn.Softplus: x [...] -> [...], of the same shape.

    x: any shape, floating. beta, threshold: numbers. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.softplus`.
    Raises LayerError for what `ops.softplus` refuses.
    """

    function = staticmethod(ops.softplus)
    beta: float = 1.0
    threshold: float = 20.0


class Softsign(Function):
    """torch.nn.Softsign: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.softsign`.
    Raises LayerError for what `ops.softsign` refuses.
    """

    function = staticmethod(ops.softsign)


class LogSigmoid(Function):
    """torch.nn.LogSigmoid: x [...] -> [...], of the same shape.

    x: any shape, floating. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.logsigmoid`.
    Raises LayerError for what `ops.logsigmoid` refuses.
    """

    function = staticmethod(ops.logsigmoid)


class GLU(Function):
    """torch.nn.GLU: x [..., 2 n, ...] -> [..., n, ...] along `dim`.

    x: floating. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.glu`.
    Raises LayerError for a `dim` out of range.
    """

    function = staticmethod(ops.glu)
    dim: int = -1


class _Softmax(Function):
    """A softmax along `dim`; without one torch takes axis 0 of an input of 0, 1 or 3 dimensions, else axis 1."""

    dim: int | None = None

    def settings(self, x: Tensor) -> dict[str, Any]:
        return {"dim": (0 if x.ndim in (0, 1, 3) else 1) if self.dim is None else self.dim}


class Softmax(_Softmax):
    """torch.nn.Softmax: x [...] -> [...], of the same shape.

    x: any shape, floating. dim: as in torch, 0 for 0, 1 or 3 dimensions and else 1 by default. Returns the shape and
    dtype of `x`.
    Weights: none.
    Layer: that of `ops.softmax`.
    Raises LayerError for what `ops.softmax` refuses.
    """

    function = staticmethod(ops.softmax)


class Softmin(_Softmax):
    """torch.nn.Softmin: x [...] -> [...], of the same shape.

    x: any shape, floating. dim: as in torch, 0 for 0, 1 or 3 dimensions and else 1 by default. Returns the shape and
    dtype of `x`.
    Weights: none.
    Layer: that of `ops.softmin`.
    Raises LayerError for what `ops.softmin` refuses.
    """

    function = staticmethod(ops.softmin)


class LogSoftmax(_Softmax):
    """torch.nn.LogSoftmax: x [...] -> [...], of the same shape.

    x: any shape, floating. dim: as in torch, 0 for 0, 1 or 3 dimensions and else 1 by default. Returns the shape and
    dtype of `x`.
    Weights: none.
    Layer: that of `ops.log_softmax`.
    Raises LayerError for what `ops.log_softmax` refuses.
    """

    function = staticmethod(ops.log_softmax)


class Softmax2d(Module):
    """torch.nn.Softmax2d: softmax over the channels, x [batch, channels, height, width] -> the same shape.

    x: floating, with or without a batch. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.softmax`.
    Raises LayerError for another rank.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4):
            x.network.fail(f"Softmax2d takes an input of 3 or 4 dimensions, found {x.ndim}", {"x": x})
        return ops.softmax(x, -3)
