"""Elements put at places: along an axis, where several index tensors say, in a slice, on a diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.bounds import bound
from trtnet.graph.sizes.dim import largest, numel
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis, tensor
from trtnet.ops.arguments.sizes import size_of
from trtnet.ops.create import arange
from trtnet.ops.elementwise.comparison import eq, where
from trtnet.ops.indexing.index import parsed
from trtnet.ops.indexing.index_tensors import Places, is_tensor, joined, places_of, together
from trtnet.ops.indexing.scatter import aside, index_add, scatter
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.shape import permute, reshape, shuffle
from trtnet.ops.shapes.slicing import movable, restored
from trtnet.ops.shapes.views import diag_embed, diagonal, movedim
from trtnet.support.backend import trt


def index_fill(x: Tensor, dim: int, index: Any, value: Operand) -> Tensor:
    """`x` with a number at the positions `index` of an axis.

    x: [..., n, ...], of any dtype. index: [k], integer; negative ones count from the end. value: a number, or a tensor
    of one element. Returns the shape and dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for an axis out of range.
    """
    along = axis(x, dim, "index_fill")
    places = _places(x, index, x.shape[along])
    apart = reshape(places, (*(1,) * along, places.shape[0], *(1,) * (x.ndim - along - 1)))
    wanted = (*x.shape[:along], places.shape[0], *x.shape[along + 1 :])
    return scatter(x, along, expand(apart, wanted), expand(tensor(value, x.network, x.dtype, x.ndim), wanted))


def index_copy(x: Tensor, dim: int, index: Any, source: Tensor) -> Tensor:
    """`x` with ``source[i]`` at ``[index[i]]`` for dim 0, and so on for other axes.

    x: [..., n, ...], of any dtype. index: [k], integer. source: [..., k, ...], of the dtype of `x`. Returns the shape
    and dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for a source of another shape or dtype.
    """
    along = axis(x, dim, "index_copy")
    apart = aside("index_copy", x, along, _places(x, index, x.shape[along]), source)
    return scatter(x, along, expand(apart, (*source.shape[:along], -1, *source.shape[along + 1 :])), source)


def _places(x: Tensor, index: Any, size: Size) -> Tensor:
    found = Places.of(x, index)
    places = places_of(x, found, size) if found is not None else tensor(index, x.network)
    return reshape(places, (-1,)) if places.ndim != 1 else places


def index_put(x: Tensor, indices: Sequence[Any], values: Operand, accumulate: bool = False) -> Tensor:
    """`x` with values at the positions that index tensors name together, as ``x[indices] = values``.

    x: any shape and dtype. indices: a sequence of integer or bool tensors that broadcast; None takes a whole axis.
    values: of the dtype of `x`, of a shape that broadcasts to that of ``x[indices]``. If several values have the same
    position, one of them is written, or with accumulate all are added. Returns the shape and dtype of `x`.
    Layer: IScatterLayer ND; with accumulate, the layers of index_add.
    Raises LayerError for values of another dtype, and without an index tensor.
    """
    items = parsed(x, tuple(slice(None) if index is None else index for index in indices))
    places = {a: item for a, item in enumerate(items) if is_tensor(item)}
    if not places:
        x.network.fail("index_put needs an index tensor", {"x": x})
    axes = tuple(places)
    others = tuple(a for a in range(x.ndim) if a not in axes)
    rest = tuple(x.shape[a] for a in others)
    _, at = joined(x, axes) if len(axes) > 1 else (x, axes[0])
    along = together(x, places)
    given = tensor(values, x.network, None if isinstance(values, Tensor) else x.dtype)
    if given.dtype != x.dtype:
        x.network.fail(f"index_put takes values of the dtype of its input, {x.dtype}", {"x": x, "values": given})
    placed = expand(given, (*rest[:at], *along.shape, *rest[at:]))
    front = movedim(placed, tuple(range(at, at + along.ndim)), tuple(range(along.ndim))) if at else placed
    count = numel(along.shape)
    rows = shuffle(x, before=(*axes, *others), shape=(numel(tuple(x.shape[a] for a in axes)), *rest))
    updates, index = reshape(front, (count, *rest)), reshape(along, (count,))
    put = index_add(rows, 0, index, updates) if accumulate else _rows_put(rows, index, updates)
    back = reshape(put, (*(x.shape[a] for a in axes), *rest))
    order = (*axes, *others)
    return permute(back, [order.index(a) for a in range(x.ndim)])


def _rows_put(rows: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    """`rows` with the updates at the rows that the index names."""
    if index.shape[0] == 0:
        return rows
    data, new = movable(rows, updates)
    arguments = {"data": data, "indices": index.unsqueeze(1), "updates": new, "mode": trt.ScatterMode.ND}
    (y,) = rows.network.add("scatter", arguments, dims=[rows.shape])
    return restored(y, rows)


def select_scatter(x: Tensor, src: Tensor, dim: int, index: Size) -> Tensor:
    """`x` with `src` as its element `index` of an axis.

    x: [..., n, ...], of any dtype. src: [..., ...] without that axis, of the dtype of `x`. index: an int or a Dim.
    Returns the shape and dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for a src of another shape or dtype.
    """
    along = axis(x, dim, "select_scatter")
    stop = None if isinstance(index, int) and index == -1 else index + 1
    return slice_scatter(x, src.unsqueeze(along), along, index, stop)


def slice_scatter(
    x: Tensor, src: Tensor, dim: int = 0, start: Size | None = None, end: Size | None = None, step: Size = 1
) -> Tensor:
    """`x` with `src` in place of ``x[start:end:step]`` along an axis.

    x: [..., n, ...], of any dtype. src: [..., elements of the slice, ...], of the dtype of `x`. start, end, step: ints
    or Dims. Returns the shape and dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for a src of another shape or dtype.
    """
    along = axis(x, dim, "slice_scatter")
    size, by = x.shape[along], size_of(x, step, "slice_scatter")
    first = 0 if start is None else bound(size_of(x, start, "slice_scatter"), size)
    last = size if end is None else bound(size_of(x, end, "slice_scatter"), size)
    count = (largest(last - first, 0) + (by - 1)) // by
    places = arange(count, network=x.network) * by + first
    return index_copy(x, along, places, src)


def diagonal_scatter(x: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`x` with `src` as the diagonal of two axes.

    x: two dimensions or more, of any dtype. src: [..., length], of the shape of that diagonal and the dtype of `x`.
    Returns the shape and dtype of `x`.
    Layer: ISelectLayer by a mask, and IGatherLayer (the diagonal, for its shape).
    Raises LayerError for a src of another rank or dtype.
    """
    a, b = axis(x, dim1, "diagonal_scatter"), axis(x, dim2, "diagonal_scatter")
    wanted = diagonal(x, offset, a, b).shape
    if src.ndim != len(wanted) or src.dtype != x.dtype:
        x.network.fail(f"diagonal_scatter takes a src like {list(map(str, wanted))} {x.dtype}", {"x": x, "src": src})
    matrices = movedim(x, (a, b), (-2, -1))
    rows, columns = (arange(n, network=x.network) for n in matrices.shape[-2:])
    here = eq(columns.unsqueeze(0), rows.unsqueeze(1) + offset)
    square = diag_embed(src, offset)
    high, wide = (whole - size for whole, size in zip(matrices.shape[-2:], square.shape[-2:], strict=True))
    spread = pad(square, (0, wide, 0, high))
    return movedim(where(here, spread, matrices), (-2, -1), (a, b))
