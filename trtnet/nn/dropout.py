"""Dropout at inference: nothing. The layers keep the places of a Sequential as the checkpoint counts them."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.nn.module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return x


class Dropout(_Dropout):
    """torch.nn.Dropout at inference: x."""


class Dropout1d(_Dropout):
    """torch.nn.Dropout1d at inference: x."""


class Dropout2d(_Dropout):
    """torch.nn.Dropout2d at inference: x."""


class Dropout3d(_Dropout):
    """torch.nn.Dropout3d at inference: x."""


class AlphaDropout(_Dropout):
    """torch.nn.AlphaDropout at inference: x."""


class FeatureAlphaDropout(_Dropout):
    """torch.nn.FeatureAlphaDropout at inference: x."""
