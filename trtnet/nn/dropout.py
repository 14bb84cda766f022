"""Dropout at inference: no effect. The layers keep their place in a Sequential, as in the checkpoint's keys."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.nn.core.module import Module
from trtnet.support.errors import ModelError
from trtnet.support.source import here


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        if not 0 <= p <= 1:
            raise ModelError(here(f"{type(self).__name__}: p is a probability, found {p}"))
        self.p, self.inplace = p, inplace

    def forward(self, x: Tensor) -> Tensor:
        return x


class Dropout(_Dropout):
    """torch.nn.Dropout at inference: x [...] -> x, unchanged.

    x: any shape and dtype. p: used in training only. Returns `x`.
    Weights: none.
    Layer: none.
    Raises ModelError for a p that is not a probability.
    """


class Dropout1d(_Dropout):
    """torch.nn.Dropout1d at inference: x [...] -> x, unchanged.

    x: any shape and dtype. p: used in training only. Returns `x`.
    Weights: none.
    Layer: none.
    Raises ModelError for a p that is not a probability.
    """


class Dropout2d(_Dropout):
    """torch.nn.Dropout2d at inference: x [...] -> x, unchanged.

    x: any shape and dtype. p: used in training only. Returns `x`.
    Weights: none.
    Layer: none.
    Raises ModelError for a p that is not a probability.
    """


class Dropout3d(_Dropout):
    """torch.nn.Dropout3d at inference: x [...] -> x, unchanged.

    x: any shape and dtype. p: used in training only. Returns `x`.
    Weights: none.
    Layer: none.
    Raises ModelError for a p that is not a probability.
    """


class AlphaDropout(_Dropout):
    """torch.nn.AlphaDropout at inference: x [...] -> x, unchanged.

    x: any shape and dtype. p: used in training only. Returns `x`.
    Weights: none.
    Layer: none.
    Raises ModelError for a p that is not a probability.
    """


class FeatureAlphaDropout(_Dropout):
    """torch.nn.FeatureAlphaDropout at inference: x [...] -> x, unchanged.

    x: any shape and dtype. p: used in training only. Returns `x`.
    Weights: none.
    Layer: none.
    Raises ModelError for a p that is not a probability.
    """
