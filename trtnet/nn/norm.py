"""Normalization layers."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Buffer, Parameter, Tensor
from trtnet.nn.module import Module


class BatchNorm2d(Module):
    """torch.nn.BatchNorm2d at inference: x [batch, num_features, height, width] -> the same shape.

    Weights: running_mean, running_var and, if affine, weight and bias, each [num_features].
    """

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = True) -> None:
        self.eps = eps
        self.weight = Parameter(num_features) if affine else None
        self.bias = Parameter(num_features) if affine else None
        self.running_mean = Buffer(num_features)
        self.running_var = Buffer(num_features)

    def forward(self, x: Tensor) -> Tensor:
        return ops.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
