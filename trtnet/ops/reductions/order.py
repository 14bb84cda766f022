"""All elements in order, and those that stand at a place of it."""

from __future__ import annotations

from trtnet.graph import Size, Tensor
from trtnet.ops.arguments.operands import axis
from trtnet.ops.arguments.sizes import size_of
from trtnet.ops.create import arange
from trtnet.ops.elementwise.basic import cast, eq, gt, isnan, logical_and, logical_or, lt, where
from trtnet.ops.indexing.gather import gather
from trtnet.ops.reductions.reduce import any, sum
from trtnet.ops.reductions.sort import Ordered, topk
from trtnet.ops.shapes.shape import flatten
from trtnet.ops.shapes.views import movedim, select
from trtnet.support import dtypes


def sort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = False) -> Ordered:
    """(values, int64 indices) of all elements along `dim` in order; there are at most 3840. Layer: ITopKLayer.

    stable: equal elements keep their order, for which every element is compared with every other.
    """
    if x.ndim == 0 or not stable:
        return topk(x, x.shape[axis(x, dim, "sort")] if x.ndim else 1, dim, largest=descending)
    along = axis(x, dim, "sort")
    order = _topk_of_ranks(movedim(x, along, -1), descending)
    indices = movedim(order, -1, along)
    return Ordered(gather(x, along, indices), indices)


def _topk_of_ranks(x: Tensor, descending: bool) -> Tensor:
    """The order of the last axis by how many elements come before each."""
    comparable = cast(x, dtypes.int32) if x.dtype in (dtypes.bool_, dtypes.uint8) else x
    one, other = comparable.unsqueeze(-1), comparable.unsqueeze(-2)
    places = arange(x.shape[-1], network=x.network)
    earlier = lt(places.unsqueeze(0), places.unsqueeze(1))
    before = logical_or((gt if descending else lt)(other, one), logical_and(eq(other, one), earlier))
    return topk(sum(cast(before, dtypes.int64), -1), x.shape[-1], -1, largest=False).indices


def argsort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The int64 indices that sort `x` along `dim`."""
    return sort(x, dim, descending, stable)[1]


def msort(x: Tensor) -> Tensor:
    """`x` in order along its first axis."""
    return sort(x, 0)[0]


def kthvalue(x: Tensor, k: Size, dim: int = -1, keepdim: bool = False) -> Ordered:
    """(value, int64 index) of the k-th smallest along `dim`; k is at most 3840. Layer: ITopKLayer."""
    if x.ndim == 0:
        return topk(x, k, dim, largest=False)
    along = axis(x, dim, "kthvalue")
    k = size_of(x, k, "kthvalue")
    if isinstance(k, int) and k < 1:
        x.network.fail(f"kthvalue counts from 1, found k={k}", {"x": x})
    found = topk(x, k, dim, largest=False)
    last = [select(part, along, k - 1) for part in found]
    return Ordered(*(part.unsqueeze(along) for part in last) if keepdim else last)


def median(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor | Ordered:
    """The middle element, the lower of two, along `dim` with its int64 index, or of all elements; NaN if one is.

    There are at most 7680 elements along the axis. Layer: ITopKLayer.
    """
    if dim is None:
        found = median(flatten(x), 0)
        assert isinstance(found, Ordered)
        return found.values
    along = axis(x, dim, "median") if x.ndim else 0
    size = x.shape[along] if x.ndim else 1
    if size == 0:
        x.network.fail("median of no elements", {"x": x})
    values, indices = kthvalue(x, (size + 1) // 2, dim, keepdim)
    if x.dtype.is_floating and x.ndim:
        values = where(any(isnan(x), along, keepdim), float("nan"), values)
    return Ordered(values, indices)
