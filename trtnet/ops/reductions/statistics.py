"""Two reductions at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from trtnet.graph import Tensor
from trtnet.ops.reductions.reduce import amax, amin, mean, std


class Extremes(NamedTuple):
    """The smallest and the largest elements."""

    min: Tensor
    max: Tensor


def aminmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Extremes:
    """(amin, amax) along `dim`, of all elements without one."""
    return Extremes(amin(x, dim, keepdim), amax(x, dim, keepdim))


def std_mean(x: Tensor, dim: int | Sequence[int] | None = None, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """(std, mean); the arguments are std's."""
    keepdim = bool(kwargs.get("keepdim", args[-1] if len(args) > 1 else False))
    return std(x, dim, *args, **kwargs), mean(x, dim, keepdim)
