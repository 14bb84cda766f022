"""Pooling to a given size, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.arguments.window_arguments import spread
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.comparison import ge, lt, where
from trtnet.ops.elementwise.division import div, floor_divide
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.pooling.pool import avg_pool, max_pool
from trtnet.ops.products.matmul import matmul
from trtnet.ops.reductions.reduce import amax, mean
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.text.counted import counted

OutputSize = int | Sequence[int | None]


def adaptive_avg_pool1d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The means of `output_size` windows that overlap as little as possible.

    x: [batch, channels, length], or without a batch; floating. Window i of n is ``[floor(i size / n), ceil((i + 1) size
    / n))``. Returns [batch, channels, output_size], in the dtype of `x`.
    Layer: IReduceLayer AVG for 1; IPoolingLayer AVERAGE where the sizes divide; else IMatrixMultiplyLayer with a matrix
    of weights, computed at run time where the input's size is not known.
    Raises LayerError for another rank, and for a size below 1.
    """
    return _adaptive_avg(x, output_size, 1)


def adaptive_avg_pool2d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The means of a grid of windows that overlap as little as possible.

    x: [batch, channels, height, width], or without a batch; floating. output_size: an int or a pair; None keeps a size.
    Returns [batch, channels, *output_size], in the dtype of `x`.
    Layer: IReduceLayer AVG for 1; IPoolingLayer AVERAGE where the sizes divide; else IMatrixMultiplyLayer for each
    axis.
    Raises LayerError for another rank, and for a size below 1.
    """
    return _adaptive_avg(x, output_size, 2)


def adaptive_avg_pool3d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The means of a grid of windows that overlap as little as possible.

    x: [batch, channels, depth, height, width], or without a batch; floating. output_size: an int or a triple; None
    keeps a size. Returns [batch, channels, *output_size], in the dtype of `x`.
    Layer: IReduceLayer AVG for 1; IPoolingLayer AVERAGE where the sizes divide; else IMatrixMultiplyLayer for each
    axis.
    Raises LayerError for another rank, and for a size below 1.
    """
    return _adaptive_avg(x, output_size, 3)


def adaptive_max_pool1d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The largest elements of `output_size` windows, which are those of adaptive_avg_pool1d.

    x: [batch, channels, length], or without a batch; floating. Returns [batch, channels, output_size], in the dtype of
    `x`.
    Layer: IReduceLayer MAX for 1; IPoolingLayer MAX where the sizes divide; else ISliceLayer and IReduceLayer for each
    window, or of a masked copy of the axis where the input's size is known only at run time.
    Raises LayerError for another rank, and for a size below 1.
    """
    return _adaptive_max(x, output_size, 1)


def adaptive_max_pool2d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The largest elements of a grid of windows, which are those of adaptive_avg_pool2d.

    x: [batch, channels, height, width], or without a batch; floating. output_size: an int or a pair; None keeps a size.
    Returns [batch, channels, *output_size], in the dtype of `x`.
    Layer: IReduceLayer MAX for 1; IPoolingLayer MAX where the sizes divide; else ISliceLayer and IReduceLayer for each
    window.
    Raises LayerError for another rank, and for a size below 1.
    """
    return _adaptive_max(x, output_size, 2)


def adaptive_max_pool3d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The largest elements of a grid of windows, which are those of adaptive_avg_pool3d.

    x: [batch, channels, depth, height, width], or without a batch; floating. output_size: an int or a triple; None
    keeps a size. Returns [batch, channels, *output_size], in the dtype of `x`.
    Layer: IReduceLayer MAX for 1; IPoolingLayer MAX where the sizes divide; else ISliceLayer and IReduceLayer for each
    window.
    Raises LayerError for another rank, and for a size below 1.
    """
    return _adaptive_max(x, output_size, 3)


def _adaptive_avg(x: Tensor, output_size: OutputSize, rank: int) -> Tensor:
    if x.ndim == rank + 1:
        return _adaptive_avg(x.unsqueeze(0), output_size, rank).squeeze(0)
    wanted = _counts(x, output_size, rank)
    axes = tuple(range(x.ndim - rank, x.ndim))
    if wanted == (1,) * rank:
        return mean(x, axes, keepdim=True)
    window = _dividing(x, wanted)
    if window is not None:
        return avg_pool(x, window, None, 0, False, True, None, rank)
    for a, n in zip(axes, wanted, strict=True):
        if x.shape[a] != n:
            x = mean(x, a, keepdim=True) if n == 1 else _averaged(x, a, x.shape[a], int(n))
    return x


def _adaptive_max(x: Tensor, output_size: OutputSize, rank: int) -> Tensor:
    if x.ndim == rank + 1:
        return _adaptive_max(x.unsqueeze(0), output_size, rank).squeeze(0)
    wanted = _counts(x, output_size, rank)
    axes = tuple(range(x.ndim - rank, x.ndim))
    if wanted == (1,) * rank:
        return amax(x, axes, keepdim=True)
    window = _dividing(x, wanted)
    if window is not None:
        largest: Tensor = max_pool(x, window, None, 0, 1, False, rank)
        return largest
    for a, n in zip(axes, wanted, strict=True):
        size = x.shape[a]
        if n == 1:
            x = amax(x, a, keepdim=True)
        elif size != n and isinstance(size, int):
            parts = [cut(x, {a: Cut(start, end - start)}) for start, end in _windows(size, int(n))]
            x = cat([amax(part, a, keepdim=True) for part in parts], a)
        elif size != n:
            x = _largest(x, a, size, int(n))
    return x


def _dividing(x: Tensor, wanted: tuple[Size, ...]) -> tuple[int, ...] | None:
    """The windows, if they are all of one size."""
    pairs = list(zip(x.shape[-len(wanted) :], wanted, strict=True))
    window = [s // n for s, n in pairs if isinstance(s, int) and isinstance(n, int) and n > 0 and s % n == 0]
    return tuple(window) if len(window) == len(pairs) and min(window) > 0 else None


def _averaged(x: Tensor, along: int, size: Size, n: int) -> Tensor:
    """The means along an axis as a product with a matrix whose columns are the windows."""
    if isinstance(size, int):
        rows = np.zeros((n, size))
        for row, (start, end) in zip(rows, _windows(size, n), strict=True):
            row[start:end] = 1 / (end - start)
        matrix = constant(x.network, rows.T.astype(x.dtype.numpy))
    else:
        inside, lengths = _inside(x, size, n)
        matrix = cast(div(cast(inside, "float32"), cast(lengths, "float32")), x.dtype)
    last = x.ndim - 1
    moved = x if along == last else x.transpose(along, last)
    means = matmul(moved, matrix)
    return means if along == last else means.transpose(along, last)


def _largest(x: Tensor, along: int, size: Size, n: int) -> Tensor:
    inside, _ = _inside(x, size, n)
    last = x.ndim - 1
    moved = x if along == last else x.transpose(along, last)
    largest = amax(where(inside, moved.unsqueeze(-1), float("-inf")), -2)
    return largest if along == last else largest.transpose(along, last)


def _inside(x: Tensor, size: Size, n: int) -> tuple[Tensor, Tensor]:
    """(bool [size, n]: whether a place is in a window, int64 [1, n]: how many are)."""
    place = arange(size, network=x.network).unsqueeze(1)
    first = mul(arange(n, network=x.network).unsqueeze(0), size)
    start, end = floor_divide(first, n), floor_divide(add(first, size + (n - 1)), n)
    return logical_and(ge(place, start), lt(place, end)), sub(end, start)


def _windows(size: int, n: int) -> list[tuple[int, int]]:
    return [(i * size // n, -((i + 1) * size // -n)) for i in range(n)]


def _counts(x: Tensor, output_size: OutputSize, rank: int) -> tuple[Size, ...]:
    given = list(spread(output_size, rank) if output_size is not None else (None,) * rank)  # type: ignore[arg-type]
    if len(given) != rank or x.ndim != rank + 2:
        x.network.fail(
            f"adaptive pooling of {counted(rank, 'axis', 'axes')} to {given} got {counted(x.ndim, 'dimension')}",
            {"x": x},
        )
    sizes = tuple(x.shape[x.ndim - rank + i] if n is None else n for i, n in enumerate(given))
    for size, n in zip(x.shape[-rank:], sizes, strict=True):
        if n != size and not (isinstance(n, int) and n > 0):
            x.network.fail(f"adaptive pooling to {'x'.join(map(str, sizes))}: a size is an int, 1 or more", {"x": x})
    return sizes
