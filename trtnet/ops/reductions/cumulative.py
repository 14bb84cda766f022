"""Running sums and products."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.arguments.operands import axis
from trtnet.ops.control import scan
from trtnet.ops.create import full_like
from trtnet.ops.reductions.reduce import accumulated
from trtnet.support.backend import trt
from trtnet.support.dtypes import DTypeLike


def cumsum(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """The running sum along `dim`; of bools and integers int64. dtype: to cast to first. Layer: ICumulativeLayer."""
    wide = accumulated(x, dtype)
    if not wide.ndim:
        return wide
    along = constant(wide.network, np.array(axis(wide, dim, "cumsum"), np.int32))
    arguments = {"input": wide, "axis": along, "op": trt.CumulativeOperation.SUM, "exclusive": False, "reverse": False}
    (y,) = wide.network.add("cumulative", arguments, name="cumsum", dims=[wide.shape])
    return y


def cumprod(x: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
    """The running product along `dim`; of bools and integers int64. dtype: to cast to first. Layers: ops.scan's."""
    wide = accumulated(x, dtype)
    if not wide.ndim:
        return wide
    along = axis(wide, dim, "cumprod")
    first = full_like(wide[(slice(None),) * along + (0,)], 1)
    return scan(lambda product, value: (product * value,) * 2, first, wide, along)[1]
