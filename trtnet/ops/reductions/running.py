"""Running extremes and sums along an axis, of all elements up to each: every one is compared with every other."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import axis
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.comparison import eq, le, where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.indexing.index import getitem
from trtnet.ops.reductions.cumulative import cumsum
from trtnet.ops.reductions.moments import logsumexp
from trtnet.ops.reductions.reduce import amax, amin, sum
from trtnet.ops.reductions.sort import Ordered
from trtnet.ops.shapes.shape import unsqueeze
from trtnet.ops.shapes.views import movedim
from trtnet.support import dtypes


def cummax(x: Tensor, dim: int) -> Ordered:
    """The largest element up to each along `dim`, and where it is: the last of several.

    x: [..., n, ...], floating or integer. Returns (values in the dtype of `x`, indices int64), both of its shape.
    Layer: none, decomposed into ISelectLayer and IReduceLayer MAX of n x n elements.
    Raises LayerError for an axis out of range.
    """
    return _running(x, dim, "cummax", largest=True)


def cummin(x: Tensor, dim: int) -> Ordered:
    """The smallest element up to each along `dim`, and where it is: the last of several.

    x: [..., n, ...], floating or integer. Returns (values in the dtype of `x`, indices int64), both of its shape.
    Layer: none, decomposed into ISelectLayer and IReduceLayer MIN of n x n elements.
    Raises LayerError for an axis out of range.
    """
    return _running(x, dim, "cummin", largest=False)


def _running(x: Tensor, dim: int, name: str, *, largest: bool) -> Ordered:
    if x.ndim == 0:
        return Ordered(x, cast(mul(x, 0), dtypes.int64))
    along = axis(x, dim, name)
    narrow = x.dtype in (dtypes.bool_, dtypes.uint8)
    moved = movedim(cast(x, dtypes.int32) if narrow else x, along, -1)
    one, other = unsqueeze(moved, -1), unsqueeze(moved, -2)
    before = _before(x, along)
    values = (amax if largest else amin)(where(before, other, one), -1)
    places = arange(x.shape[along], network=x.network)
    here = where(logical_and(before, eq(other, unsqueeze(values, -1))), places, -1)
    found, indices = movedim(values, -1, along), movedim(amax(here, -1), -1, along)
    return Ordered(cast(found, x.dtype), indices)


def _before(x: Tensor, along: int) -> Tensor:
    """Which places (columns) are not behind which others (rows): bool [n, n]."""
    places = arange(x.shape[along], network=x.network)
    return le(unsqueeze(places, 0), unsqueeze(places, 1))


def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    """``log(cumsum(exp(x)))`` along `dim`, without overflow.

    x: [..., n, ...], floating. Returns the shape and dtype of `x`.
    Layer: none, decomposed into ISelectLayer, IReduceLayer MAX and SUM and IUnaryLayer EXP and LOG of n x n elements.
    Raises LayerError for integers, and for an axis out of range.
    Source: torch.logcumsumexp's documentation.
    """
    if not x.dtype.is_floating:
        x.network.fail(f"logcumsumexp takes a floating tensor, found {x.dtype}", {"x": x})
    if x.ndim == 0:
        return x
    along = axis(x, dim, "logcumsumexp")
    other = unsqueeze(movedim(x, along, -1), -2)
    return movedim(logsumexp(where(_before(x, along), other, float("-inf")), -1), -1, along)


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The integral of `y` along `dim` by the trapezoidal rule.

    y: [..., n, ...], floating. x: the places of the values, [n] or a shape that broadcasts to that of `y`; without it
    they are `dx` apart. Returns [..., ...], without `dim`.
    Layer: none, decomposed into ISliceLayer, IElementWiseLayer and IReduceLayer SUM.
    Raises LayerError for an axis out of range.
    Source: torch.trapezoid's documentation.
    """
    return sum(_areas(y, x, dx, dim, "trapezoid"), -1)


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The running integral of `y` along `dim` by the trapezoidal rule.

    y: [..., n, ...], floating. x: the places of the values, [n] or a shape that broadcasts to that of `y`; without it
    they are `dx` apart. Returns [..., n - 1, ...].
    Layer: none, decomposed into ISliceLayer, IElementWiseLayer and ICumulativeLayer.
    Raises LayerError for an axis out of range.
    Source: torch.cumulative_trapezoid's documentation.
    """
    along = axis(y, dim, "cumulative_trapezoid")
    return movedim(cumsum(_areas(y, x, dx, dim, "cumulative_trapezoid"), -1), -1, along)


def _areas(y: Tensor, x: Tensor | None, dx: float, dim: int, name: str) -> Tensor:
    """The areas between neighbours, along the last axis."""
    along = axis(y, dim, name)
    first, second = _neighbours(movedim(y, along, -1))
    means = mul(add(first, second), 0.5)
    if x is None:
        return mul(means, dx)
    left, right = _neighbours(x if x.ndim == 1 else movedim(x, along, -1))
    return mul(means, sub(right, left))


def _neighbours(x: Tensor) -> tuple[Tensor, Tensor]:
    return getitem(x, (..., slice(None, -1))), getitem(x, (..., slice(1, None)))
