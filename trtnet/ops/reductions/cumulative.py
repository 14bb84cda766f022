"""Running sums and products."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.arguments.operands import axis
from trtnet.ops.control import scan
from trtnet.ops.filled import full_like
from trtnet.ops.reductions.reduce import accumulated
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
