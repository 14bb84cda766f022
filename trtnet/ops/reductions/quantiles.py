"""Quantiles, and reductions that leave out what is not a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.graph import Tensor
from trtnet.graph.shapes import size_tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis, tensor
from trtnet.ops.elementwise.arithmetic import maximum, mul, sub
from trtnet.ops.elementwise.comparison import isnan, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_not
from trtnet.ops.elementwise.rounding import ceil, floor, round
from trtnet.ops.elementwise.special import lerp
from trtnet.ops.filled import full_like
from trtnet.ops.indexing.gather import gather
from trtnet.ops.reductions.order import sort
from trtnet.ops.reductions.reduce import any, sum
from trtnet.ops.shapes.shape import flatten, reshape, unsqueeze
from trtnet.ops.shapes.views import movedim
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def nansum(
    x: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
) -> Tensor:
    """The sum over `dim` of all that are numbers.

    x: any shape, floating, integer or bool. Arguments as in sum. Returns [...] without those axes (of size 1 with
    keepdim).
    Layer: none, decomposed into ISelectLayer and IReduceLayer SUM.
    Raises LayerError for an axis out of range.
    """
    kept = where(isnan(x), 0, x) if x.dtype.is_floating else x
    return sum(kept, dim, keepdim, dtype=dtype)


def nanmean(
    x: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
) -> Tensor:
    """The mean over `dim` of all that are numbers, computed in float32; NaN where there are none.

    x: any shape, floating. Arguments as in mean. Returns [...] without those axes (of size 1 with keepdim).
    Layer: none, decomposed into ISelectLayer, IReduceLayer SUM and IElementWiseLayer DIV.
    Raises LayerError for integers and bools, and for an axis out of range.
    """
    if not x.dtype.is_floating:
        x.network.fail(f"nanmean takes a floating tensor, found {x.dtype}", {"x": x})
    wide = cast(x, "float32")
    count = sum(cast(logical_not(isnan(wide)), "float32"), dim, keepdim)
    return cast(div(nansum(wide, dim, keepdim), count), dtype or x.dtype)


def quantile(
    x: Tensor, q: Operand, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The `q`-th quantiles along `dim`, or of all elements; NaN where one of them is NaN.

    x: any shape, floating, with at most 3840 elements along the axis. q: a number from 0 to 1, or several, [k].
    interpolation: what lies between two elements: linear, lower, higher, midpoint, nearest. Returns [k, ..., ...],
    without k for a number and without `dim`, or [..., 1, ...] with keepdim, in the dtype of `x`; computed in float32.
    Layer: none, decomposed into ITopKLayer, IGatherLayer ELEMENT and IElementWiseLayer.
    Raises LayerError for integers, for another interpolation, and for more than 3840 elements.
    """
    missing = any(isnan(x), None if dim is None or not x.ndim else dim, keepdim=dim is not None and x.ndim > 0)
    found, along = _quantile(x, q, dim, interpolation, None, "quantile")
    if dim is None or not x.ndim:
        found = where(missing, float("nan"), found)
    else:
        found = where(movedim(missing, along, -1), float("nan"), found)
    return _arranged(x, q, found, dim, along, keepdim=keepdim)


def nanquantile(
    x: Tensor, q: Operand, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The `q`-th quantiles along `dim`, or of all elements, of those that are numbers; NaN where there are none.

    x: any shape, floating, with at most 3840 elements along the axis. q: a number from 0 to 1, or several, [k].
    interpolation: what lies between two elements: linear, lower, higher, midpoint, nearest. Returns [k, ..., ...],
    without k for a number and without `dim`, or [..., 1, ...] with keepdim, in the dtype of `x`; computed in float32.
    Layer: none, decomposed into ITopKLayer, IGatherLayer ELEMENT and IElementWiseLayer.
    Raises LayerError for integers, for another interpolation, and for more than 3840 elements.
    """
    there = logical_not(isnan(x))
    whole = flatten(there) if dim is None or not x.ndim else movedim(there, axis(x, dim, "nanquantile"), -1)
    count = sum(cast(whole, "float32"), -1, True)
    found, along = _quantile(x, q, dim, interpolation, count, "nanquantile")
    return _arranged(x, q, where(count > 0, found, float("nan")), dim, along, keepdim=keepdim)


def _quantile(
    x: Tensor, q: Operand, dim: int | None, interpolation: str, count: Tensor | None, name: str
) -> tuple[Tensor, int]:
    """(quantiles [..., k] in float32, the axis). count: how many elements there are of each, [..., 1]."""
    if not x.dtype.is_floating or interpolation not in INTERPOLATIONS:
        text = f"{name} takes a floating tensor, and an interpolation of {', '.join(INTERPOLATIONS)}"
        x.network.fail(f"{text}; found {x.dtype} and {interpolation!r}", {"x": x})
    along = 0 if dim is None or not x.ndim else axis(x, dim, name)
    moved = cast(flatten(x) if dim is None or not x.ndim else movedim(x, along, -1), "float32")
    ordered = sort(where(isnan(moved), float("inf"), moved), -1).values
    shares = reshape(cast(tensor(q, x.network), "float32"), (-1,))
    size = cast(reshape(size_tensor(x.network, moved.shape[-1]), (1,)), "float32") if count is None else count
    rank = mul(shares, maximum(sub(size, 1), 0))
    low, high = floor(rank), ceil(rank)
    if interpolation in ("lower", "higher", "nearest"):
        return _elements(ordered, {"lower": low, "higher": high}.get(interpolation, round(rank))), along
    share = full_like(rank, 0.5) if interpolation == "midpoint" else sub(rank, low)
    return lerp(_elements(ordered, low), _elements(ordered, high), share), along


def _elements(ordered: Tensor, places: Tensor) -> Tensor:
    """Elements along the last axis at places [k] or [..., k]."""
    lifted = reshape(places, (*(1,) * (ordered.ndim - places.ndim), *places.shape))
    whole = lifted.expand((*ordered.shape[:-1], lifted.shape[-1]))
    return gather(ordered, -1, cast(whole, dtypes.int64))


def _arranged(x: Tensor, q: Any, found: Tensor, dim: int | None, along: int, *, keepdim: bool) -> Tensor:
    """Quantiles [..., k] with k in front, or without it for a number, and with the axis as it was asked for."""
    single = len(getattr(q, "shape", ())) == 0 and not isinstance(q, list | tuple)
    front = movedim(cast(found, x.dtype), -1, 0)
    if keepdim:
        ones = (1,) * x.ndim
        front = unsqueeze(front, along + 1) if dim is not None and x.ndim else reshape(front, (front.shape[0], *ones))
    return front[0] if single else front
