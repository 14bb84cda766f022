"""Tensors out of nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet import dtypes
from trtnet.backend import trt
from trtnet.dtypes import DTypeLike
from trtnet.graph import Network, Size, Tensor, current
from trtnet.graph.dim import is_static
from trtnet.graph.shapes import constant, size_tensor
from trtnet.ops.elementwise import cast
from trtnet.ops.operands import tensor
from trtnet.ops.shape import expand


def arange(
    start: Size, end: Size | None = None, step: int = 1, dtype: DTypeLike = "int64", network: Network | None = None
) -> Tensor:
    """[start, start + step, ...), below end; ``arange(n)`` counts from 0. Layer: a constant, or IFillLayer."""
    network = network or current()
    low, high = (0, start) if end is None else (start, end)
    if is_static((low, high)):
        values = np.arange(int(low), int(high), step)
        return constant(network, values.astype(dtypes.get(dtype).numpy))
    count = (high - low + (step - 1)) // step
    return cast(_counted(network, low, count, step), dtype)


def _counted(network: Network, first: Size, count: Size, step: int) -> Tensor:
    scalar = size_tensor(network, first).reshape(())
    arguments = {"shape": (1,), "op": trt.FillOperation.LINSPACE, "output_type": trt.DataType.INT64}
    inputs = {0: size_tensor(network, count), 1: scalar, 2: constant(network, np.array([step], np.int64))}
    (y,) = network.add("fill", arguments, inputs=inputs, name="arange", dims=[(count,)])
    return y


def full(shape: Sequence[Size], fill_value: float, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor of one value; of the network's dtype by default. Layer: a constant, expanded."""
    network = current()
    wanted = network.dtype if dtype is None else dtypes.get(dtype)
    return expand(tensor(fill_value, network, wanted, len(shape)), tuple(shape))


def zeros(shape: Sequence[Size], dtype: DTypeLike | None = None) -> Tensor:
    """A tensor of zeros; of the network's dtype by default."""
    return full(shape, 0, dtype)


def ones(shape: Sequence[Size], dtype: DTypeLike | None = None) -> Tensor:
    """A tensor of ones; of the network's dtype by default."""
    return full(shape, 1, dtype)
