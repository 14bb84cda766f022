"""Pairs of reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from trtnet.graph import Tensor
from trtnet.ops.reductions.moments import std
from trtnet.ops.reductions.reduce import amax, amin, mean


class Extremes(NamedTuple):
    """The smallest and the largest elements."""

    min: Tensor
    max: Tensor


def aminmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Extremes:
    """The smallest and the largest element along `dim`, or of all.

    x: any shape, floating, integer or bool. Returns (min, max), both [...] without that axis (of size 1 with keepdim),
    in the dtype of `x`.
    Layer: IReduceLayer MIN and MAX.
    Raises LayerError for no elements, for uint8, and for an axis out of range.
    """
    return Extremes(amin(x, dim, keepdim), amax(x, dim, keepdim))


def std_mean(x: Tensor, dim: int | Sequence[int] | None = None, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean over `dim`, as std and mean compute them.

    x: any shape, floating. Arguments as in std. Returns (std, mean), both [...] without those axes (of size
    1 with keepdim), in the dtype of `x`.
    Layer: none, decomposed into IReduceLayer AVG and SUM, IElementWiseLayer and IUnaryLayer SQRT.
    Raises LayerError for integers and bools, and for an axis out of range.
    Source: torch.std_mean's documentation.
    """
    keepdim = bool(kwargs.get("keepdim", args[-1] if len(args) > 1 else False))
    return std(x, dim, *args, **kwargs), mean(x, dim, keepdim)
