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
from trtnet.ops.forms.in_parts import in_parts
from trtnet.ops.forms.products.float32_sums import product_of_float32_sums
from trtnet.ops.forms.products.rows import rows_of
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.dtypes import float32


def in_features(x: Tensor, weight: Constant, *_: object) -> int | None:
    """in_features or channels of rows of a known number."""
    return int(weight.shape[1]) if is_static(x.shape) else None


@in_parts("product", "halves", "quarters", "eighths", terms=in_features)
def parts_of_product(parts: int, x: Tensor, weight: Parameter) -> Tensor:
    """Two, four or eight sums."""
    return product_in_parts(x, tensor(weight, x.network), parts)


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
