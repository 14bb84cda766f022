"""Running sums and products, and differences of neighbours."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis
from trtnet.ops.control import scan
from trtnet.ops.elementwise.comparison import ne
from trtnet.ops.filled import full_like
from trtnet.ops.reductions.reduce import accumulated
from trtnet.ops.shapes.joining import cat
from trtnet.support.backend import trt
from trtnet.support.dtypes import DTypeLike


def cumsum(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """The cumulative sum along `dim`.

    x: any shape, floating, integer or bool. dtype: what `x` is cast to first. Returns the shape of `x`, in its dtype or
    in `dtype`; int64 for integers and bools.
    Layer: ICumulativeLayer.
    Raises LayerError for a `dim` out of range.
    """
    wide = accumulated(x, dtype)
    if not wide.ndim:
        return wide
    along = constant(wide.network, np.array(axis(wide, dim, "cumsum"), np.int32))
    arguments = {"input": wide, "axis": along, "op": trt.CumulativeOperation.SUM, "exclusive": False, "reverse": False}
    (y,) = wide.network.add("cumulative", arguments, name="cumsum", dims=[wide.shape])
    return y


def cumprod(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """The cumulative product along `dim`.

    x: any shape, floating, integer or bool. dtype: what `x` is cast to first. Returns the shape of `x`, in its dtype or
    in `dtype`; int64 for integers and bools.
    Layer: ILoop, which multiplies slice by slice, as ops.scan does.
    Raises LayerError for a `dim` out of range.
    """
    wide = accumulated(x, dtype)
    if not wide.ndim:
        return wide
    along = axis(wide, dim, "cumprod")
    first = full_like(wide[(slice(None),) * along + (0,)], 1)
    return scan(lambda product, value: (product * value,) * 2, first, wide, along)[1]


def diff(x: Tensor, n: int = 1, dim: int = -1, prepend: Operand | None = None, append: Operand | None = None) -> Tensor:
    """The differences of neighbours along `dim`, `n` times over: ``x[1:] - x[:-1]``.

    x: one dimension or more, floating, integer or bool. prepend, append: tensors of the shape of `x`, but for `dim`,
    which are joined to it first. Returns `x` with `n` elements fewer along `dim`, in its dtype; of bools, whether the
    neighbours differ.
    Layer: IElementWiseLayer SUB of two slices; NOT_EQUAL for bools.
    Raises LayerError for a negative `n`, a scalar, and a `dim` out of range.
    """
    if n < 0 or not x.ndim:
        x.network.fail(f"diff of order {n}: n must be 0 or more, and the tensor needs an axis", {"x": x})
    along = axis(x, dim, "diff")
    parts = [part for part in (prepend, x, append) if part is not None]
    y = cat(parts, along) if len(parts) > 1 else x
    size = y.shape[along]
    for _ in range(min(n, size) if isinstance(size, int) else n):
        before = (slice(None),) * along
        later, earlier = y[(*before, slice(1, None))], y[(*before, slice(-1))]
        y = ne(later, earlier) if y.dtype.name == "bool" else later - earlier
    return y
