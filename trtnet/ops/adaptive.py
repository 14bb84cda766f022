"""Pooling to a given size, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.dim import is_static
from trtnet.graph.shapes import constant
from trtnet.ops.matmul import matmul
from trtnet.ops.pool import avg_pool, max_pool
from trtnet.ops.reduce import amax, mean
from trtnet.ops.shape import cat
from trtnet.ops.slicing import Cut, cut

OutputSize = int | Sequence[int | None]


def adaptive_avg_pool1d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The means of a grid of windows that overlap as little as they can: x [batch, channels, length].

    Window i of n is ``[floor(i size / n), ceil((i + 1) size / n))``. The input's size must be known unless the output's
    is 1. Layer: IReduceLayer AVG for 1, IPoolingLayer AVERAGE where the sizes divide, else a product with a matrix.
    """
    return _adaptive_avg(x, output_size, 1)


def adaptive_avg_pool2d(x: Tensor, output_size: OutputSize) -> Tensor:
    """adaptive_avg_pool1d of x [batch, channels, height, width]; None keeps a size."""
    return _adaptive_avg(x, output_size, 2)


def adaptive_avg_pool3d(x: Tensor, output_size: OutputSize) -> Tensor:
    """adaptive_avg_pool1d of x [batch, channels, depth, height, width]; None keeps a size."""
    return _adaptive_avg(x, output_size, 3)


def adaptive_max_pool1d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The largest of each window of adaptive_avg_pool1d.

    Layer: IReduceLayer MAX for 1, IPoolingLayer MAX where the sizes divide, else a slice and a maximum a window.
    """
    return _adaptive_max(x, output_size, 1)


def adaptive_max_pool2d(x: Tensor, output_size: OutputSize) -> Tensor:
    """adaptive_max_pool1d of x [batch, channels, height, width]; None keeps a size."""
    return _adaptive_max(x, output_size, 2)


def adaptive_max_pool3d(x: Tensor, output_size: OutputSize) -> Tensor:
    """adaptive_max_pool1d of x [batch, channels, depth, height, width]; None keeps a size."""
    return _adaptive_max(x, output_size, 3)


def _adaptive_avg(x: Tensor, output_size: OutputSize, rank: int) -> Tensor:
    wanted = _counts(x, output_size, rank)
    axes = tuple(range(x.ndim - rank, x.ndim))
    if wanted == (1,) * rank:
        return mean(x, axes, keepdim=True)
    sizes, counts = _known(x, wanted, rank)
    if all(size % n == 0 for size, n in zip(sizes, counts, strict=True)):
        window = tuple(size // n for size, n in zip(sizes, counts, strict=True))
        return avg_pool(x, window, None, 0, False, True, None, rank)
    for a, size, n in zip(axes, sizes, counts, strict=True):
        if size != n:
            x = _averaged(x, a, size, n)
    return x


def _adaptive_max(x: Tensor, output_size: OutputSize, rank: int) -> Tensor:
    wanted = _counts(x, output_size, rank)
    axes = tuple(range(x.ndim - rank, x.ndim))
    if wanted == (1,) * rank:
        return amax(x, axes, keepdim=True)
    sizes, counts = _known(x, wanted, rank)
    if all(size % n == 0 for size, n in zip(sizes, counts, strict=True)):
        return max_pool(x, tuple(size // n for size, n in zip(sizes, counts, strict=True)), None, 0, 1, False, rank)
    for a, size, n in zip(axes, sizes, counts, strict=True):
        if size != n:
            parts = [cut(x, {a: Cut(start, end - start)}) for start, end in _windows(size, n)]
            x = cat([amax(part, a, keepdim=True) for part in parts], a)
    return x


def _averaged(x: Tensor, along: int, size: int, n: int) -> Tensor:
    """The means along an axis as a product with a matrix whose rows are the windows."""
    rows = np.zeros((n, size))
    for row, (start, end) in zip(rows, _windows(size, n), strict=True):
        row[start:end] = 1 / (end - start)
    matrix = constant(x.network, rows.T.astype(x.dtype.numpy))
    last = x.ndim - 1
    moved = x if along == last else x.transpose(along, last)
    means = matmul(moved, matrix)
    return means if along == last else means.transpose(along, last)


def _windows(size: int, n: int) -> list[tuple[int, int]]:
    return [(i * size // n, -((i + 1) * size // -n)) for i in range(n)]


def _counts(x: Tensor, output_size: OutputSize, rank: int) -> tuple[Size, ...]:
    given = [output_size] * rank if isinstance(output_size, int) else list(output_size)
    if len(given) != rank or x.ndim != rank + 2:
        x.network.fail(f"adaptive pooling of {rank} axes to {given} got {x.ndim} dimensions", {"x": x})
    return tuple(x.shape[x.ndim - rank + i] if n is None else n for i, n in enumerate(given))


def _known(x: Tensor, wanted: tuple[Size, ...], rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The input's and the output's sizes as ints."""
    sizes = x.shape[-rank:]
    if not is_static((*sizes, *wanted)):
        x.network.fail(f"adaptive pooling to {'x'.join(map(str, wanted))} needs the size of its input", {"x": x})
    return tuple(int(size) for size in sizes), tuple(int(n) for n in wanted)
