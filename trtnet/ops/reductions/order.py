"""All elements in order, and those that stand at a place of it."""

from __future__ import annotations

from trtnet.graph import Size, Tensor
from trtnet.ops.arguments.operands import axis
from trtnet.ops.arguments.sizes import size_of
from trtnet.ops.create import arange
from trtnet.ops.elementwise.comparison import eq, gt, isnan, lt, where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and, logical_or
from trtnet.ops.indexing.gather import gather
from trtnet.ops.reductions.reduce import any, sum
from trtnet.ops.reductions.sort import Ordered, topk
from trtnet.ops.shapes.shape import flatten
from trtnet.ops.shapes.views import movedim, select
from trtnet.support import dtypes


def sort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = False) -> Ordered:
    """All elements along `dim` in order, and their positions.

    x: [..., n, ...], floating or integer, n at most 3840. stable: equal elements keep their order, for which every
    element is compared with every other. Returns (values in the dtype of `x`, indices int64), both of the shape of `x`.
    Layer: ITopKLayer.
    Raises LayerError for more than 3840 elements along `dim`.
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
    """The positions that sort `x` along `dim`.

    x: [..., n, ...], floating or integer, n at most 3840. Returns the shape of `x`, int64.
    Layer: ITopKLayer.
    Raises LayerError for more than 3840 elements along `dim`.
    """
    return sort(x, dim, descending, stable)[1]


def msort(x: Tensor) -> Tensor:
    """`x` sorted along its first axis.

    x: [n, ...], floating or integer, n at most 3840. Returns the shape and dtype of `x`.
    Layer: ITopKLayer.
    Raises LayerError for more than 3840 elements along the first axis.
    """
    return sort(x, 0)[0]


def kthvalue(x: Tensor, k: Size, dim: int = -1, keepdim: bool = False) -> Ordered:
    """The k-th smallest element along `dim`, counted from 1, and its position.

    x: [..., n, ...], floating or integer. k: an int or a Dim, at most 3840. Returns (value in the dtype of `x`, index
    int64), both [..., ...] without `dim`, or [..., 1, ...] with keepdim.
    Layer: ITopKLayer, and ISliceLayer of its last element.
    Raises LayerError for a k below 1, above n, or above 3840.
    """
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
    """The middle element (the lower of two) along `dim` with its position, or of all elements; NaN if one is NaN.

    x: any shape, floating or integer, with at most 7680 elements along the axis. Returns (value in the dtype of `x`,
    index int64) for a `dim`, else a scalar [] in the dtype of `x`.
    Layer: ITopKLayer, and ISliceLayer of its last element.
    Raises LayerError for no elements, and for more than 7680.
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
