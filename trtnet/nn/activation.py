"""Activation layers."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.nn.module import Module


class ReLU(Module):
    """torch.nn.ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x)


class ReLU6(Module):
    """torch.nn.ReLU6."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu6(x)


class Sigmoid(Module):
    """torch.nn.Sigmoid."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


class SiLU(Module):
    """torch.nn.SiLU."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.silu(x)


class GELU(Module):
    """torch.nn.GELU."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return ops.gelu(x, self.approximate)


class Softmax(Module):
    """torch.nn.Softmax; `dim` must be given."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return ops.softmax(x, self.dim)
