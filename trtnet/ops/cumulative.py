"""Running sums and products."""

from __future__ import annotations

import numpy as np

from trtnet import dtypes
from trtnet.backend import trt
from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.control import scan
from trtnet.ops.create import full_like
from trtnet.ops.operands import axis


def cumsum(x: Tensor, dim: int) -> Tensor:
    """The running sum along `dim`; of bool and the smaller integers, int64. Layer: ICumulativeLayer."""
    wide = x if x.dtype.is_floating else x.to(dtypes.int64)
    along = constant(x.network, np.array(axis(x, dim, "cumsum"), np.int32))
    arguments = {"input": wide, "axis": along, "op": trt.CumulativeOperation.SUM, "exclusive": False, "reverse": False}
    (y,) = x.network.add("cumulative", arguments, name="cumsum", dims=[x.shape])
    return y


def cumprod(x: Tensor, dim: int) -> Tensor:
    """The running product along `dim`; of bool and the smaller integers, int64. Layers: ops.scan's."""
    wide = x if x.dtype.is_floating else x.to(dtypes.int64)
    along = axis(x, dim, "cumprod")
    first = full_like(wide[(slice(None),) * along + (0,)], 1)
    return scan(lambda product, value: (product * value,) * 2, first, wide, along)[1]
