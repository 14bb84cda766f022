"""Elements put where tensors of indices say."""

from __future__ import annotations

import ml_dtypes

from trtnet.graph import Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis, tensor
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul
from trtnet.ops.elementwise.comparison import eq, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.indexing.gather import extent_of, same_rank
from trtnet.ops.reductions.reduce import amax, amin, any, prod, sum
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.shape import reshape
from trtnet.ops.shapes.slicing import movable, restored
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType

REDUCTIONS = {"add": "sum", "multiply": "prod"}
"""scatter's names of what scatter_reduce does."""


def scatter(x: Tensor, dim: int, index: Tensor, src: Operand, *, reduce: str | None = None) -> Tensor:
    """`x` with ``src[i][j]``, or the number `src`, at ``[index[i][j]][j]`` for dim 0, and so on for other axes.

    x: any shape and dtype. index: integer, of the rank of `x`; it may be smaller, and determines how much of `src` is
    used. src: a tensor of the dtype of `x`, or a number. reduce: "add" or "multiply", with the element of `x`. If an
    index occurs twice, one of the elements is written. Returns the shape and dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for an index of another rank or larger than `x`, and for a src of another dtype.
    """
    if reduce is not None and reduce not in REDUCTIONS:
        x.network.fail(f"scatter: reduce is {' or '.join(REDUCTIONS)}, found {reduce!r}", {"x": x})
    if reduce is not None:
        return scatter_reduce(x, dim, index, src, REDUCTIONS[reduce])
    if x.ndim == 0:
        return reshape(scatter(reshape(x, (1,)), dim, reshape(index, (1,)), _vector(src)), ())
    along = axis(x, dim, "scatter")
    updates = _updates("scatter", x, along, index, src)
    if 0 in index.shape:
        return x
    data, new = movable(x, updates)
    arguments = {"data": data, "indices": index, "updates": new, "mode": trt.ScatterMode.ELEMENT}
    (y,) = x.network.add("scatter", arguments, attributes={"axis": along}, dims=[x.shape])
    return restored(y, x)


def scatter_add(x: Tensor, dim: int, index: Tensor, src: Operand) -> Tensor:
    """`x` with ``src[i][j]`` added at ``[index[i][j]][j]`` for dim 0; elements of equal indices are summed.

    x: any shape and dtype. index: integer, of the rank of `x`; it may be smaller, and determines how much of `src` is
    used. src: a tensor of the dtype of `x`, or a number. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer EQUAL, ISelectLayer and IReduceLayer SUM: IScatterLayer does not add,
    so every position is compared with every index, which takes the product of both sizes in memory.
    Raises LayerError for an index of another rank or larger than `x`, and for a src of another dtype.
    """
    return scatter_reduce(x, dim, index, src, "sum")


def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """`x` with ``alpha * source[i]`` added at ``[index[i]]`` for dim 0; elements of equal indices are summed.

    x: [..., n, ...], of any dtype. index: [k], integer. source: [..., k, ...], of the dtype of `x`. Returns the shape
    and dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer EQUAL, ISelectLayer and IReduceLayer SUM, as scatter_add.
    Raises LayerError for an index of another rank, and for a source of another shape or dtype.
    """
    along = axis(x, dim, "index_add")
    apart = aside("index_add", x, along, index, source)
    updates = source if alpha == 1 else cast(mul(source, alpha), x.dtype)
    return _reduced(x, along, apart, _same_dtype("index_add", x, updates), "sum", include_self=True)


def index_reduce(
    x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`x` with ``source[i]`` combined into ``[index[i]]`` for dim 0.

    x: [..., n, ...], of any dtype. index: [k], integer. source: [..., k, ...], of the dtype of `x`. reduce: "prod",
    "mean", "amax" or "amin". include_self=False leaves out the elements of `x` that are written to. Returns the shape
    and dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer EQUAL, ISelectLayer and IReduceLayer, as scatter_reduce.
    Raises LayerError for another `reduce`, an index of another rank, and for a source of another shape or dtype.
    """
    ways = [way for way in WAYS if way != "sum"]
    if reduce not in ways:
        x.network.fail(f"index_reduce: reduce is {', '.join(ways)}, found {reduce!r}", {"x": x})
    along = axis(x, dim, "index_reduce")
    apart = aside("index_reduce", x, along, index, source)
    return _reduced(x, along, apart, _same_dtype("index_reduce", x, source), reduce, include_self)


def aside(operation: str, x: Tensor, along: int, index: Tensor, source: Tensor) -> Tensor:
    """An index of one dimension with the rank of `x`. Raises LayerError if the source does not have its size."""
    if index.ndim > 1:
        x.network.fail(f"{operation} takes an index of one dimension, found {index.ndim}", {"x": x, "index": index})
    count = 1 if index.ndim == 0 else index.shape[0]
    wanted = (*x.shape[:along], count, *x.shape[along + 1 :])
    if source.ndim != x.ndim or (is_static((*wanted, *source.shape)) and source.shape != wanted):
        text = f"{operation} takes a source of shape [{', '.join(map(str, wanted))}]"
        x.network.fail(text, {"x": x, "index": index, "source": source})
    return reshape(index, (*(1,) * along, count, *(1,) * (x.ndim - along - 1)))


def scatter_reduce(
    x: Tensor, dim: int, index: Tensor, src: Operand, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`x` with ``src[i][j]`` combined into ``[index[i][j]][j]`` for dim 0.

    x: any shape and dtype. index: integer, of the rank of `x`; it may be smaller, and determines how much of `src` is
    used. src: a tensor of the dtype of `x`, or a number. reduce: "sum", "prod", "mean", "amax" or "amin".
    include_self=False leaves out the elements of `x` that are written to. Returns the shape and dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer EQUAL, ISelectLayer and IReduceLayer, as scatter_add.
    Raises LayerError for another `reduce`, an index of another rank or larger than `x`, and for a src of another dtype.
    """
    if reduce not in WAYS:
        x.network.fail(f"scatter_reduce: reduce is {', '.join(WAYS)}, found {reduce!r}", {"x": x})
    if x.ndim == 0:
        lifted = reshape(x, (1,)), dim, reshape(index, (1,)), _vector(src)
        return reshape(scatter_reduce(*lifted, reduce, include_self=include_self), ())
    along = axis(x, dim, "scatter_reduce")
    updates = _updates("scatter_reduce", x, along, index, src)
    return x if 0 in index.shape else _reduced(x, along, index, updates, reduce, include_self)


WAYS = {
    "sum": (sum, add),
    "prod": (prod, mul),
    "mean": (sum, add),
    "amax": (amax, maximum),
    "amin": (amin, minimum),
}
"""How several elements become one, and one becomes of two."""
OF_BOOLS = {"sum": "amax", "prod": "amin"}


def _reduced(x: Tensor, along: int, index: Tensor, updates: Tensor, reduce: str, include_self: bool) -> Tensor:
    """index: of the rank of `x`, to be broadcast to the updates."""
    if x.dtype in (dtypes.bool_, dtypes.uint8):
        way = OF_BOOLS.get(reduce, reduce) if x.dtype == dtypes.bool_ else reduce
        wide = (cast(given, "int32") for given in (x, updates))
        return cast(_reduced(next(wide), along, index, next(wide), way, include_self), x.dtype)
    over, with_self = WAYS[reduce]
    hits = _hits(x, index, along)
    neutral = tensor(_neutral(reduce, x.dtype), x.network, x.dtype)
    taken = where(hits, updates.unsqueeze(along + 1), neutral)
    reduced = _grown(cast(over(taken, along), x.dtype), x, _neutral(reduce, x.dtype))
    result = with_self(x, reduced) if include_self else reduced
    if include_self and reduce != "mean":
        return result
    wide = expand(hits, taken.shape)
    if reduce == "mean":
        count = _grown(sum(cast(wide, "int64"), along), x, 0)
        rounding = None if x.dtype.is_floating else "floor"
        share = add(count, 1) if include_self else maximum(count, 1)
        result = cast(div(result, cast(share, x.dtype), rounding_mode=rounding), x.dtype)
    return result if include_self else where(_grown(any(wide, along), x, False), result, x)


def _neutral(reduce: str, dtype: DType) -> float:
    """What changes nothing."""
    if reduce in ("sum", "prod", "mean"):
        return int(reduce == "prod")
    if dtype.is_floating:
        return float("-inf" if reduce == "amax" else "inf")
    limits = ml_dtypes.iinfo(dtype.numpy)  # type: ignore[no-untyped-call]
    return int(limits.min if reduce == "amax" else limits.max)


def _hits(x: Tensor, index: Tensor, along: int) -> Tensor:
    """Whether each index means each place: bool, with an axis of the places behind axis `along` of the index."""
    places = arange(x.shape[along], network=x.network)
    apart = reshape(places, (*(1,) * (along + 1), x.shape[along], *(1,) * (x.ndim - along - 1)))
    return eq(cast(index, "int64").unsqueeze(along + 1), apart)


def _grown(part: Tensor, x: Tensor, value: float) -> Tensor:
    """A part of the extent of an index, with a value up to the sizes of `x`."""
    missing = [0 if size == whole else whole - size for size, whole in zip(part.shape, x.shape, strict=True)]
    sides = [side for size in reversed(missing) for side in (0, size)]
    return pad(part, sides, value=value)


def _updates(operation: str, x: Tensor, along: int, index: Tensor, src: Operand) -> Tensor:
    """What is put at each place of the index: a number stands for as many as there are."""
    same_rank(operation, x, index)
    _check_extent(operation, x, index, f"its index is larger than its input, but for dim={along}", along)
    if not isinstance(src, Tensor):
        updates = tensor(src, x.network, x.dtype, x.ndim)
        if not hasattr(src, "shape") or src.shape == ():
            return expand(updates, index.shape)
        src = updates
    same_rank(f"{operation} of a src", x, src)
    _check_extent(operation, src, index, "its index is larger than its src")
    return extent_of(index, _same_dtype(operation, x, src))


def _same_dtype(operation: str, x: Tensor, src: Tensor) -> Tensor:
    if src.dtype != x.dtype:
        x.network.fail(f"{operation} takes a src of the dtype of its input, {x.dtype}", {"x": x, "src": src})
    return src


def _check_extent(operation: str, x: Tensor, index: Tensor, text: str, along: int | None = None) -> None:
    for a, (size, most) in enumerate(zip(index.shape, x.shape, strict=True)):
        if a != along and isinstance(size, int) and isinstance(most, int) and size > most:
            x.network.fail(f"{operation}: {text}", {"x": x, "index": index})


def _vector(src: Operand) -> Operand:
    return reshape(src, (1,)) if isinstance(src, Tensor) else src
