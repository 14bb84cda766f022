"""Axes taken apart, moved, cut and joined, by torch's other names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.dim import is_static
from trtnet.graph.shapes import constant
from trtnet.graph.tensor import Operand
from trtnet.ops.gather import take
from trtnet.ops.operands import axis, network_of, tensor
from trtnet.ops.part import elements, part
from trtnet.ops.shape import cat, expand, permute, reshape, transpose
from trtnet.ops.slicing import Cut


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The elements along an axis of known size, one by one. Raises LayerError if the size is dynamic."""
    along = axis(x, dim, "unbind")
    size = x.shape[along]
    if not isinstance(size, int):
        x.network.fail(f"unbind needs the size of dim={dim}, found {size}", {"x": x})
    return tuple(select(x, along, i) for i in range(size))


def unflatten(x: Tensor, dim: int, sizes: Sequence[Size]) -> Tensor:
    """One axis as several; one of the sizes may be -1."""
    along = axis(x, dim, "unflatten")
    return reshape(x, (*x.shape[:along], *sizes, *x.shape[along + 1 :]))


def select(x: Tensor, dim: int, index: Size) -> Tensor:
    """``x[index]`` along an axis, which goes."""
    return x[(*(slice(None),) * axis(x, dim, "select"), index)]


def narrow(x: Tensor, dim: int, start: Size, length: Size) -> Tensor:
    """`length` elements from `start` along an axis; a negative start counts from the end.

    Raises LayerError if known sizes do not fit.
    """
    along = axis(x, dim, "narrow")
    size = x.shape[along]
    first = size + start if isinstance(start, int) and start < 0 else start
    if is_static((first, length, size)) and not 0 <= int(first) <= int(first) + int(length) <= int(size):
        x.network.fail(f"narrow got start={start} and length={length}, dim={dim} has {size}", {"x": x})
    return part(x, {along: Cut(first, length)}, name="narrow")


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two axes, `offset` above it, as a new last axis. The sizes of both must be known.

    Layer: IGatherLayer. Raises LayerError for a dynamic size, or for one axis twice.
    """
    a, b = axis(x, dim1, "diagonal"), axis(x, dim2, "diagonal")
    rows, columns = x.shape[a], x.shape[b]
    if a == b or not isinstance(rows, int) or not isinstance(columns, int):
        x.network.fail(f"diagonal needs two axes of known sizes, found {rows} and {columns}", {"x": x})
    matrices = movedim(x, (a, b), (-2, -1)).flatten(-2)
    first, length = _diagonal(rows, columns, offset)
    places = constant(x.network, first + np.arange(length, dtype=np.int64) * (columns + 1))
    return elements(x, take(matrices, places, matrices.ndim - 1), lambda base: diagonal(base, offset, dim1, dim2))


def _diagonal(rows: int, columns: int, offset: int) -> tuple[int, int]:
    """Where a diagonal begins in a matrix laid out in a row, and its length."""
    row, column = max(-offset, 0), max(offset, 0)
    return row * columns + column, max(min(rows - row, columns - column), 0)


def movedim(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Axes moved to other places; the others keep their order. Layer: IShuffleLayer.

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
    """`x` repeated to `shape`, as operations of several tensors do."""
    return expand(x, shape)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side: along their second axis, vectors along their first."""
    return cat(tensors, 0 if tensors[0].ndim < 2 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors below one another, along their first axis; a vector is a row."""
    return cat([tensor(x, network_of(x), ndim=2) for x in tensors], 0)
