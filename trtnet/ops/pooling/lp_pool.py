"""Pooling by powers, and pooling undone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod

from trtnet.graph import Size, Tensor
from trtnet.graph.sizes.dim import numel
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.powers import pow
from trtnet.ops.elementwise.unary_functions import abs, neg
from trtnet.ops.filled import zeros
from trtnet.ops.indexing.scatter import scatter
from trtnet.ops.pooling.pool import avg_pool1d, avg_pool2d, avg_pool3d, max_pool
from trtnet.support.text.counted import counted

AVERAGES: dict[int, Callable[..., Tensor]] = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}


def lp_pool1d(
    x: Tensor, norm_type: float, kernel_size: Window, stride: Window | None = None, ceil_mode: bool = False
) -> Tensor:
    """``sum(x ** norm_type) ** (1 / norm_type)`` of each window, computed in float32.

    x: [batch, channels, length], or without a batch; floating. norm_type: a number; infinity gives max_pool1d of
    abs(x). NaN where the sum is negative, as in torch. Returns [batch, channels, windows], in the dtype of `x`.
    Layer: none, decomposed into IPoolingLayer AVERAGE and IElementWiseLayer POW and PROD.
    Raises LayerError for another rank.
    Source: torch.nn.functional.lp_pool1d's documentation.
    """
    return _lp_pool(x, norm_type, kernel_size, stride, ceil_mode, 1)


def lp_pool2d(
    x: Tensor, norm_type: float, kernel_size: Window, stride: Window | None = None, ceil_mode: bool = False
) -> Tensor:
    """``sum(x ** norm_type) ** (1 / norm_type)`` of each window, computed in float32.

    x: [batch, channels, height, width], or without a batch; floating. Arguments as in lp_pool1d. Returns [batch,
    channels, rows, columns], in the dtype of `x`.
    Layer: none, decomposed into IPoolingLayer AVERAGE and IElementWiseLayer POW and PROD.
    Raises LayerError for another rank.
    Source: torch.nn.functional.lp_pool2d's documentation.
    """
    return _lp_pool(x, norm_type, kernel_size, stride, ceil_mode, 2)


def lp_pool3d(
    x: Tensor, norm_type: float, kernel_size: Window, stride: Window | None = None, ceil_mode: bool = False
) -> Tensor:
    """``sum(x ** norm_type) ** (1 / norm_type)`` of each window, computed in float32.

    x: [batch, channels, depth, height, width], or without a batch; floating. Arguments as in lp_pool1d. Returns [batch,
    channels, slices, rows, columns], in the dtype of `x`.
    Layer: none, decomposed into IPoolingLayer AVERAGE and IElementWiseLayer POW and PROD.
    Raises LayerError for another rank.
    Source: torch.nn.functional.lp_pool3d's documentation.
    """
    return _lp_pool(x, norm_type, kernel_size, stride, ceil_mode, 3)


def _lp_pool(x: Tensor, p: float, kernel_size: Window, stride: Window | None, ceil_mode: bool, rank: int) -> Tensor:
    if math.isinf(p):
        sizes = abs(x) if p > 0 else neg(abs(x))
        largest = max_pool(sizes, kernel_size, stride, 0, 1, ceil_mode, rank)
        return largest if p > 0 else neg(largest)
    means = AVERAGES[rank](pow(cast(x, "float32"), float(p)), kernel_size, stride, 0, ceil_mode)
    return cast(pow(mul(means, float(prod(spread(kernel_size, rank)))), 1 / p), x.dtype)


def max_unpool1d(
    x: Tensor,
    indices: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    output_size: Sequence[Size] | None = None,
) -> Tensor:
    """Each element of `x` at the position of the output that `indices` names, with 0 elsewhere.

    x: [batch, channels, length], or without a batch; any dtype. indices: of the shape of `x`, int64, as max_pool1d
    returns them. output_size: the last sizes, or all; by default ``(length - 1) * stride - 2 * padding + kernel_size``.
    Returns [batch, channels, output size], in the dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for another rank.
    """
    return _max_unpool(x, indices, kernel_size, stride, padding, output_size, 1)


def max_unpool2d(
    x: Tensor,
    indices: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    output_size: Sequence[Size] | None = None,
) -> Tensor:
    """Each element of `x` at the position of the output that `indices` names, with 0 elsewhere.

    x: [batch, channels, height, width], or without a batch; any dtype. indices: of the shape of `x`, int64 positions in
    a channel's image, as max_pool2d returns them. output_size: as in max_unpool1d. Returns [batch, channels, rows,
    columns], in the dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for another rank.
    """
    return _max_unpool(x, indices, kernel_size, stride, padding, output_size, 2)


def max_unpool3d(
    x: Tensor,
    indices: Tensor,
    kernel_size: Window,
    stride: Window | None = None,
    padding: Window = 0,
    output_size: Sequence[Size] | None = None,
) -> Tensor:
    """Each element of `x` at the position of the output that `indices` names, with 0 elsewhere.

    x: [batch, channels, depth, height, width], or without a batch; any dtype. indices: of the shape of `x`, int64
    positions in a channel's image, as max_pool3d returns them. output_size: as in max_unpool1d. Returns [batch,
    channels, slices, rows, columns], in the dtype of `x`.
    Layer: IScatterLayer ELEMENT.
    Raises LayerError for another rank.
    """
    return _max_unpool(x, indices, kernel_size, stride, padding, output_size, 3)


def _max_unpool(
    x: Tensor,
    indices: Tensor,
    kernel_size: Window,
    stride: Window | None,
    padding: Window,
    output_size: Sequence[Size] | None,
    rank: int,
) -> Tensor:
    named = {"x": x, "indices": indices}
    if x.ndim not in (rank + 1, rank + 2) or indices.ndim != x.ndim:
        text = f"max_unpool{rank}d takes an input and indices of {rank + 1} or {counted(rank + 2, 'dimension')}"
        x.network.fail(f"{text}, found {x.ndim} and {indices.ndim}", named)
    kernel, steps = spread(kernel_size, rank), spread(kernel_size if stride is None else stride, rank)
    geometry = zip(x.shape[-rank:], kernel, steps, spread(padding, rank), strict=True)
    sizes = tuple((n - 1) * s - 2 * p + k for n, k, s, p in geometry)
    if output_size is not None:
        sizes = tuple(output_size)[-rank:]
    lead = x.shape[:-rank]
    flat = (*lead, numel(x.shape[-rank:]))
    empty = zeros((*lead, numel(sizes)), x.dtype)
    return scatter(empty, -1, indices.reshape(flat), x.reshape(flat)).reshape(*lead, *sizes)
