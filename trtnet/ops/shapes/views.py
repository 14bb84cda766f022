"""Axes taken apart, moved, cut and joined, by torch's other names."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.bounds import from_front
from trtnet.graph.sizes.dim import is_static, largest, smallest
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis, ndim_of, network_of, not_empty, tensor
from trtnet.ops.arguments.sizes import sizes_of
from trtnet.ops.create import arange
from trtnet.ops.elementwise.comparison import eq, where
from trtnet.ops.indexing.gather import take
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.shape import permute, reshape, transpose
from trtnet.ops.shapes.slicing import Cut, movable, restored
from trtnet.ops.writes.part import elements, part
from trtnet.support.text.counted import counted


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The elements along an axis of known size, one by one; views of `x`.

    x: [..., n, ...], of any dtype. Returns a tuple of n tensors [..., ...] without that axis, in the dtype of `x`.
    Layer: ISliceLayer and IShuffleLayer, for each element.
    Raises LayerError if the size is known only at run time: ops.scan iterates over such an axis.
    """
    along = axis(x, dim, "unbind")
    size = x.shape[along]
    if not isinstance(size, int):
        x.network.fail(
            f"unbind needs the size of dim={dim}, found {size}; ops.scan iterates over its elements", {"x": x}
        )
    return tuple(select(x, along, i) for i in range(size))


def unflatten(x: Tensor, dim: int, sizes: Sequence[Size]) -> Tensor:
    """One axis split into several; a view of `x`.

    x: [..., n, ...], of any dtype. sizes: ints or Dims whose product is n; one may be -1. Returns [..., *sizes, ...],
    in the dtype of `x`.
    Layer: IShuffleLayer.
    Raises LayerError for sizes whose product is not n.
    """
    along = axis(x, dim, "unflatten")
    return reshape(x, (*x.shape[:along], *sizes, *x.shape[along + 1 :]))


def select(x: Tensor, dim: int, index: Size) -> Tensor:
    """``x[index]`` along one axis, which is removed; a view of `x`.

    x: [..., n, ...], of any dtype. index: an int or a Dim. Returns [..., ...] without that axis, in the dtype of `x`.
    Layer: ISliceLayer and IShuffleLayer.
    Raises LayerError for an index or an axis out of range.
    """
    return x[(*(slice(None),) * axis(x, dim, "select"), index)]


def narrow(x: Tensor, dim: int, start: Size, length: Size) -> Tensor:
    """`length` elements from `start` along an axis; a view of `x`.

    x: [..., n, ...], of any dtype. start, length: ints or Dims; a negative start counts from the end. Returns [...,
    length, ...], in the dtype of `x`.
    Layer: ISliceLayer.
    Raises LayerError for known sizes that do not fit.
    """
    along = axis(x, dim, "narrow")
    start, length = sizes_of(x, (start, length), "narrow")
    size = x.shape[along]
    first = from_front(start, size)
    if is_static((first, length, size)) and not 0 <= int(first) <= int(first) + int(length) <= int(size):
        x.network.fail(f"narrow got start={start} and length={length}, dim={dim} has {size}", {"x": x})
    return part(x, {} if length == size else {along: Cut(first, length)}, name="narrow")


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two axes, `offset` above the main one, as a new last axis; a view of `x`.

    x: two dimensions or more, of any dtype. Returns [..., length], in the dtype of `x`.
    Layer: IGatherLayer, on axes that IShuffleLayer has moved last.
    Raises LayerError for the same axis twice.
    """
    a, b = axis(x, dim1, "diagonal"), axis(x, dim2, "diagonal")
    if a == b:
        x.network.fail(f"diagonal needs two axes, found dim1={dim1} and dim2={dim2}", {"x": x})
    rows, columns = x.shape[a], x.shape[b]
    matrices = movedim(x, (a, b), (-2, -1)).flatten(-2)
    row, column = max(-offset, 0), max(offset, 0)
    length = largest(smallest(rows - row, columns - column), 0)
    first, step = columns * row + column, columns + 1
    if is_static((first, step, length)):
        places = constant(x.network, int(first) + np.arange(int(length), dtype=np.int64) * int(step))
    else:
        places = arange(length, network=x.network) * step + first
    return elements(x, take(matrices, places, matrices.ndim - 1), lambda base: diagonal(base, offset, dim1, dim2))


def diag(x: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with a vector as its diagonal.

    x: [n, m] or [n], of any dtype. Returns [length], or [n + abs(diagonal), n + abs(diagonal)], in the dtype of `x`.
    Layer: IGatherLayer for a matrix; ISelectLayer by a mask for a vector.
    Raises LayerError for another rank.
    """
    if x.ndim not in (1, 2):
        x.network.fail(f"diag takes a vector or a matrix, found {counted(x.ndim, 'dimension')}", {"x": x})
    return diag_embed(x, diagonal) if x.ndim == 1 else diagonal_of(x, diagonal)


def diag_embed(x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last axis as the diagonals of matrices in axes dim1 and dim2 of the result, with 0 elsewhere.

    x: [..., n], of any dtype. Returns [..., n + abs(offset), n + abs(offset)], in the dtype of `x`.
    Layer: ISelectLayer by a mask, of rows that ISliceLayer pads and expands.
    Raises LayerError for an axis out of range.
    """
    size = x.shape[-1] + abs(offset)
    if x.shape[-1] == 0:
        nothing = expand(tensor(0, x.network, x.dtype, x.ndim + 1), (*x.shape[:-1], size, size))
        return movedim(nothing, (-2, -1), (dim1, dim2))
    rows = pad(x, (0, offset) if offset >= 0 else (-offset, 0)).unsqueeze(-1)
    places = arange(size, network=x.network)
    here = eq(places.unsqueeze(0), places.unsqueeze(1) + offset)
    (kept,) = movable(expand(rows, (*x.shape[:-1], size, size)))
    matrices = restored(where(here, kept, tensor(0, x.network, kept.dtype, kept.ndim)), x)
    return movedim(matrices, (-2, -1), (dim1, dim2))


diagonal_of = diagonal


def movedim(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Axes moved to other positions; the others keep their order. A view of `x`.

    x: any shape and dtype. source, destination: an axis each, or equally many. Returns the permuted shape, in the dtype
    of `x`: movedim(x, 1, -1) of [n, c, h] is [n, h, c].
    Layer: IShuffleLayer.
    Raises LayerError where the two do not name equally many axes, each once.
    """
    pairs = [[d] if isinstance(d, int) else list(d) for d in (source, destination)]
    start, end = ([axis(x, d, "movedim") for d in dims] for dims in pairs)
    if len(set(start)) != len(start) or len(set(end)) != len(end) or len(start) != len(end):
        x.network.fail(f"movedim got source={source} and destination={destination}", {"x": x})
    rest = iter(a for a in range(x.ndim) if a not in start)
    places = dict(zip(end, start, strict=True))
    return permute(x, [places[a] if a in places else next(rest) for a in range(x.ndim)])


moveaxis = movedim
swapaxes = swapdims = transpose


def broadcast_to(x: Operand, shape: Sequence[Size]) -> Tensor:
    """`x` repeated to `shape`, as operations of several tensors do it; a view of `x`.

    x: any shape and dtype, a tensor, array or number. shape: ints or Dims; -1 keeps an axis. Returns `shape`, in the
    dtype of `x`.
    Layer: ISliceLayer with stride 0.
    Raises LayerError for a shape that `x` does not broadcast to.
    """
    return expand(x, shape)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Tensors expanded to the shape that an operation of all of them has; views of them.

    tensors: any shapes that broadcast, and any dtypes. Returns a tuple of tensors of the common shape [n, m, ...], each
    in its own dtype.
    Layer: ISliceLayer with stride 0, for each that grows.
    Raises LayerError for shapes that do not broadcast.
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    not_empty("broadcast_tensors", given)
    network = network_of(*given)
    ndim = max(ndim_of(x) for x in given)
    lifted = [tensor(x, network, ndim=ndim) for x in given]
    shape = tuple(functools.reduce(_wider, sizes) for sizes in zip(*(x.shape for x in lifted), strict=True))
    return tuple(expand(x, shape) for x in lifted)


def _wider(left: Size, right: Size) -> Size:
    """The size that two broadcast to."""
    if left == 1 or right == 1:
        return right if left == 1 else left
    known = [size for size in (left, right) if isinstance(size, int)]
    return known[0] if known else largest(left, right)


def atleast_1d(x: Operand) -> Tensor:
    """`x`, with a scalar as a vector of one element.

    x: any shape and dtype, a tensor or a number. Returns [1] for a scalar, else `x`, in its dtype.
    Layer: none, or IShuffleLayer for a tensor without dimensions.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return tensor(x, network_of(x), ndim=1)


def atleast_2d(x: Operand) -> Tensor:
    """`x`, with a vector as a matrix of one row.

    x: any shape and dtype, a tensor or a number. Returns [1, n] for a vector, [1, 1] for a scalar, else `x`, in its
    dtype.
    Layer: IShuffleLayer, or none.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    return tensor(x, network_of(x), ndim=2)


def atleast_3d(x: Operand) -> Tensor:
    """`x`, with a matrix given a last axis of size 1, and a vector as one row of such a matrix.

    x: any shape and dtype, a tensor or a number. Returns [n, m, 1] for a matrix, [1, n, 1] for a vector, else `x`, in
    its dtype.
    Layer: IShuffleLayer, or none.
    Raises LayerError for an operand that is neither a tensor nor a number.
    """
    plane = atleast_2d(x)
    return plane.unsqueeze(-1) if plane.ndim == 2 else plane


def dstack(tensors: Sequence[Operand]) -> Tensor:
    """Tensors joined along their third axis.

    tensors: a sequence of tensors of one shape, but for the third axis; [n, m] counts as [n, m, 1], [n] as [1, n, 1].
    Returns [n, m, sum of the sizes], in torch's promoted dtype.
    Layer: IConcatenationLayer.
    Raises LayerError for no tensors, and for shapes that differ along another axis.
    """
    return cat([atleast_3d(x) for x in tensors], 2)


def column_stack(tensors: Sequence[Operand]) -> Tensor:
    """Tensors joined side by side, with a vector as a column.

    tensors: a sequence of [n] and [n, m, ...]. Returns [n, sum of the columns, ...], in torch's promoted dtype.
    Layer: IConcatenationLayer.
    Raises LayerError for no tensors, and for shapes that differ along another axis.
    """
    columns = [atleast_1d(x) for x in tensors]
    return cat([x.unsqueeze(1) if x.ndim == 1 else x for x in columns], 1)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined along their second axis, vectors along their first.

    tensors: a sequence of [n, m, ...], or of [n]. Returns [n, sum of the columns, ...], or [sum of the sizes], in
    torch's promoted dtype.
    Layer: IConcatenationLayer.
    Raises LayerError for no tensors, and for shapes that differ along another axis.
    """
    not_empty("hstack", tensors)
    rows = [atleast_1d(x) for x in tensors]
    return cat(rows, 0 if rows[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors joined along their first axis, with a vector as a row.

    tensors: a sequence of [n, m, ...] or [m]. Returns [sum of the rows, m, ...], in torch's promoted dtype.
    Layer: IConcatenationLayer.
    Raises LayerError for no tensors, and for shapes that differ along another axis.
    """
    return cat([tensor(x, network_of(x), ndim=2) for x in tensors], 0)
