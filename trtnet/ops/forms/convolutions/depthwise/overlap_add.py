"""A depthwise convolution by the overlap-add method: products of blocks of rows, whose results overlap and are added.

A block of an image's rows times a matrix, which has the kernel in each row, is what the block adds to the result: as
many rows, and those of the window before and behind them. Tensor cores multiply, each block is read once, and nothing
is copied, as it is for products of the rows under a window (`rows`, `blocks`). The image has its channels before its
batch, and so has the result: all blocks of a channel are one matrix, and one kernel, which reads eight numbers at a
time, adds the parts, the bias and what follows. On an H200, TensorRT-RTX 1.6.1 takes 6.74 ms for ConvMixer-768/32 so,
and 18.3 with convolutions (batch 32, float16).
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Padding, Window
from trtnet.ops.convolutions.batch_norm_folding import BatchNorm, fits
from trtnet.ops.convolutions.columns import BATCH_SECOND
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.convolutions.rearrangement import Array
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.elementwise.comparison import where
from trtnet.ops.forms.convolutions.depthwise.toeplitz import axes_of, has_adjoining_windows, taps
from trtnet.ops.forms.convolutions.windows import Axis
from trtnet.ops.forms.moved_weights import moved_weight
from trtnet.ops.formulations import form
from trtnet.ops.formulations.facts import known
from trtnet.ops.products.matmul import matmul
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.ops.shapes.turned import CHANNELS_LAST, turn, turned, turning


def keeps_rows(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> bool:
    """Whether windows of 5x5 or more, of stride and dilation 1, make as many rows as there are; of constant weights."""
    if isinstance(bias, Tensor) or not has_adjoining_windows(x, weight, bias, stride, padding, dilation):
        return False
    high, _ = axes_of(x, weight, bias, stride, padding, dilation)
    return high.results == high.size


@form("depthwise", "overlap_add", applies=keeps_rows)
def overlap_add(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    """With as many rows in a block as make matrices, blocks and results together the smallest.

    x: [batch, channels, height, width]. weight: [channels, 1, rows, columns]. Returns [batch, channels, ...].
    """
    high, wide = axes_of(x, weight, bias, stride, padding, dilation)
    return _overlap_add(x, weight, bias, high, wide, _rows_of_block(known(x.shape[0]), high, wide))


def has_bias(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> bool:
    """Whether windows of 5x5 or more, of stride and dilation 1, make as many rows as there are; and a bias is added."""
    return bias is not None and keeps_rows(x, weight, bias, stride, padding, dilation)


@form("depthwise", "overlap_add_last", applies=has_bias)
def overlap_add_last(
    x: Tensor, weight: Constant, bias: Operand | None, stride: Window, padding: Padding, dilation: Window
) -> Tensor:
    """With the channels of the result last, and the bias added to that: by a norm of the channels, such as ConvNeXt's.

    The kernel that permutes adds nothing then. On an H200 one of ConvNeXt-T at batch 32 takes 12 us in float16 that
    takes 17 with the bias. Arguments and result are those of `overlap_add`.
    """
    assert bias is not None
    y = turn(overlap_add(x, weight, None, stride, padding, dilation), BATCH_SECOND)
    return turned(add(y.permute(1, 2, 3, 0), tensor(bias, x.network)), CHANNELS_LAST)


def _rows_of_block(batch: int, high: Axis, wide: Axis) -> int:
    """The smaller divisor of the number of rows with the fewest numbers to read and write."""

    def numbers(rows: int) -> float:
        grown = rows + high.window - 1
        results = min(batch, 1 << 16) * high.size * wide.results * grown / rows
        return 2 * results + rows * wide.size * grown * wide.results

    return min((n for n in range(1, max(high.size, 2)) if high.size % n == 0), key=numbers)


def _overlap_add(x: Tensor, weight: Constant, bias: Operand | None, high: Axis, wide: Axis, rows: int) -> Tensor:
    """In blocks of so many rows."""
    batch, channels, halo, count = x.shape[0], int(weight.shape[0]), high.window - 1, high.size // rows
    image, norm = _unscaled(x, weight)
    block = high if count == 1 else Axis(rows, high.window, 1, halo, halo, 1)
    shape = (channels, rows * wide.size, block.results * wide.results)

    def matrices(kernel: Array) -> Array:
        factors = 1.0 if norm is None else norm.scale[:, None, None]
        scaled = (kernel[:, 0] * factors).astype(np.float32)
        made = np.einsum("crk,rhg,kwv->chwgv", scaled, taps(block), taps(wide), optimize=True)
        return made.reshape(shape).astype(kernel.dtype)

    products = matmul(image.reshape(channels, -1, shape[1]), moved_weight(x, weight, shape, matrices))
    parts = products.reshape(channels, batch, count, block.results, wide.results)
    total = parts if count == 1 else _overlapped(parts, count, rows, halo, halo - high.before)
    if norm is not None:
        total = add(total, _border(x, weight, bias, norm, (high, wide)).reshape(channels, 1, count, rows, -1))
    elif bias is not None:
        total = add(total, tensor(bias, x.network).reshape(-1, 1, 1, 1, 1))
    return turned(total.reshape(channels, batch, high.results, wide.results), BATCH_SECOND)


def _overlapped(parts: Tensor, count: int, rows: int, halo: int, skipped: int) -> Tensor:
    """The sum of the parts [channels, batch, blocks, rows of a part, width], for so many blocks of so many rows.

    skipped: of the rows of all parts together, of which the result has as many as the image. Where a part has no row
    for a block, the kernel reads another one and takes 0: TensorRT would write zeros, and read those.
    """
    pieces = []
    for at in range(-(halo // rows) - 1, halo // rows + 2):
        row = skipped - at * rows
        if -rows < row < rows + halo:
            inside = _inside(at, count, count)[:, None] & _inside(row, rows, rows + halo)
            piece = cut(parts, {2: Cut(at, count), 3: Cut(row, rows)}, "CLAMP")
            is_row = tensor(inside[..., None], parts.network)
            pieces.append(piece if inside.all() else where(is_row, piece, 0.0))
    return reduce(add, pieces)


def _inside(start: int, count: int, size: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of so many places are in an axis of a size."""
    places = start + np.arange(count)
    return (places >= 0) & (places < size)


def _unscaled(x: Tensor, weight: Constant) -> tuple[Tensor, BatchNorm | None]:
    """[channels, batch, height, width], and the batch norm that makes `x` of it, if it can go into the kernel."""
    source, norm = x.network.scaled.get(x.trt, (None, None))
    found = None if source is None else x.network.turned.get(source)
    if norm is None or found is None or found.order != BATCH_SECOND or turning(x) is None:
        return turn(x, BATCH_SECOND), None
    largest = np.abs(x.network.weight(weight).array.astype(np.float64)).sum((1, 2, 3))
    is_finite = fits(largest * norm.scale, x.dtype) and fits(largest * norm.shift, x.dtype)
    return (found.source, norm) if is_finite else (turn(x, BATCH_SECOND), None)


def _border(x: Tensor, weight: Constant, bias: Operand | None, norm: BatchNorm, axes: tuple[Axis, Axis]) -> Tensor:
    """What the shifts of a batch norm add to the result, which has less of them where windows leave the image."""
    high, wide = axes
    inside = [taps(axis).sum(1) for axis in axes]
    offsets = x.network.weight(bias) if isinstance(bias, Parameter | np.ndarray) else None
    if offsets is not None and offsets.key:
        x.network.folded.add(offsets.key)

    def made(kernel: Array) -> Array:
        shifts = kernel[:, 0].astype(np.float64) * norm.shift[:, None, None]
        total = np.einsum("crk,rh,kw->chw", shifts, *inside, optimize=True)
        if offsets is not None:
            total += offsets.array.astype(np.float64)[:, None, None]
        return total.astype(kernel.dtype)

    return moved_weight(x, weight, (int(weight.shape[0]), high.results, wide.results), made)
