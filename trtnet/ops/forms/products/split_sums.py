"""The sums of a product of few rows in parts, which are the batch of one product, and the sum of the parts.

Of 32 rows times 4,096 columns there are 128 blocks of 32 x 32 numbers, fewer than an H200 has multiprocessors, and each
sums all of in_features. The weight and its name stay: parts of its rows are read where they are, as those of ``x``.
"""

from __future__ import annotations

from functools import reduce

from trtnet.graph import Parameter, Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.forms.products.float32_sums import product_of_float32_sums
from trtnet.ops.forms.products.rows import rows_of
from trtnet.ops.formulations import form
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.dtypes import float32

HALVES, QUARTERS, EIGHTHS = 2, 4, 8


def has_halves(x: Tensor, weight: Constant, *_: object) -> bool:
    """Whether its rows are of a known number, and in_features, or channels, are a multiple of 2."""
    return is_static(x.shape) and weight.shape[1] % HALVES == 0


def has_quarters(x: Tensor, weight: Constant, *_: object) -> bool:
    """Whether its rows are of a known number, and in_features, or channels, are a multiple of 4."""
    return is_static(x.shape) and weight.shape[1] % QUARTERS == 0


def has_eighths(x: Tensor, weight: Constant, *_: object) -> bool:
    """Whether its rows are of a known number, and in_features, or channels, are a multiple of 8."""
    return is_static(x.shape) and weight.shape[1] % EIGHTHS == 0


@form("product", "halves", applies=has_halves)
def halves(x: Tensor, weight: Parameter) -> Tensor:
    """Two sums."""
    return product_in_parts(x, tensor(weight, x.network), HALVES)


@form("product", "quarters", applies=has_quarters)
def quarters(x: Tensor, weight: Parameter) -> Tensor:
    """Four sums."""
    return product_in_parts(x, tensor(weight, x.network), QUARTERS)


@form("product", "eighths", applies=has_eighths)
def eighths(x: Tensor, weight: Parameter) -> Tensor:
    """Eight sums."""
    return product_in_parts(x, tensor(weight, x.network), EIGHTHS)


def product_in_parts(x: Tensor, weight: Tensor, parts: int) -> Tensor:
    """``x @ weight.T`` as [parts, rows, features] times [parts, features, out_features], summed in float32.

    The parts are cut from one axis of all rows: the first of an axis of parts would be gathered
    (trtnet.ops.shapes.first_parts), of which a thread of TensorRT-RTX reads one number at a time, and eight of a slice.
    """
    out_features, in_features = (int(size) for size in weight.shape)
    rows = x.reshape(-1, parts, in_features // parts).permute(1, 0, 2)
    columns = weight.reshape(out_features, parts, in_features // parts).permute(1, 0, 2)
    count = rows_of(x)
    sums = product_of_float32_sums(rows, columns).reshape(parts * count, out_features)
    each = (cast(cut(sums, {0: Cut(part * count, count)}), float32) for part in range(parts))
    return cast(reduce(add, each), x.dtype).reshape(*x.shape[:-1], out_features)
