"""Tensors from data, and ranges of numbers.

device, layout, requires_grad, pin_memory and memory_format are torch's, without effect: an engine has one device
and one layout, and no gradients.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trtnet.graph import Dim, OpenNetwork, Real, Size, Tensor, current
from trtnet.graph.shapes import constant, size_tensor
from trtnet.graph.sizes.dim import is_static, largest
from trtnet.graph.symbolic import Symbolic
from trtnet.ops.arguments.operands import common_type, network_of, tensor as as_operand
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.elementwise.comparison import eq, where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.joining import stack
from trtnet.support import dtypes
from trtnet.support.arrays import is_torch, values
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.text.counted import counted


def as_tensor(data: Any, dtype: DTypeLike | None = None, device: Any = None) -> Tensor:
    """An array, a number, a size, a Parameter, or nested lists of them, as a tensor.

    data: any shape. dtype: by default that of the array; int64, bool or float32 for Python's numbers. device: torch's,
    without effect. Returns the shape of `data`, in that dtype.
    Layer: IConstantLayer; for a Dim, the layers that compute its value.
    Raises LayerError for data that is not numbers, and for rows of different lengths.
    """
    wanted = None if dtype is None else dtypes.get(dtype)
    if not isinstance(data, list | tuple):
        return as_operand(data, network_of(data), wanted)
    if not _has_symbols(data):
        return as_operand(_array(data), current(), wanted)
    parts = [as_tensor(item, dtype) for item in data]
    common = common_type("tensor", *parts)
    return stack([cast(part, common) for part in parts])


def tensor(
    data: Any, dtype: DTypeLike | None = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """Numbers, sizes, or nested lists of them, as a tensor, like torch.tensor.

    data: any shape. dtype: by default that of the array; int64, bool or float32 for Python's numbers. device,
    requires_grad, pin_memory: torch's, without effect. Returns the shape of `data`, in that dtype.
    Layer: IConstantLayer; for a Dim, the layers that compute its value.
    Raises LayerError for data that is not numbers, and for rows of different lengths.
    """
    return as_tensor(data, dtype)


def _has_symbols(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return any(map(_has_symbols, data))
    return isinstance(data, Dim | Real | Symbolic)


def _array(data: Any) -> np.ndarray[Any, Any]:
    """A list of numbers as torch makes a tensor of it: floats are of torch's default dtype, float32."""
    try:
        found = np.array([values(item) for item in data] if is_torch(data[0] if data else None) else data)
    except ValueError:
        current().fail("tensor: a list whose rows have different lengths", {})
    if found.dtype == np.float64:
        return found.astype(np.float32)
    return found


def arange(
    start: Size | float,
    end: Size | float | None = None,
    step: float = 1,
    dtype: DTypeLike | None = None,
    network: OpenNetwork | None = None,
    *,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """start, start + step, ... below `end`, or above it for a negative step; ``arange(n)`` counts from 0.

    start, end: ints, Dims or floats. dtype: int64 by default, float32 if one of the three is a float. For int64 the
    three are truncated to integers first; for another integer dtype the elements are, as many as with floats,
    as in torch. Returns [count], in that dtype.
    Layer: IConstantLayer; IFillLayer LINSPACE where a size is known only at run time.
    Raises LayerError for a step, an end, or a start of a falling range that has a fraction, together with a size known
    only at run time; for bool, and for an `end` in the other direction than `step`.
    """
    network = network or current()
    low, high = (0, start) if end is None else (start, end)
    if any(isinstance(value, Real) for value in (low, high, step)):
        network.fail(f"arange({low}, {high}, {step}): floats and sizes known at run time; scale an arange of ints", {})
    floating = any(isinstance(value, float) for value in (low, high, step))
    wanted = dtypes.get(dtype or ("float32" if floating else "int64"))
    if not isinstance(low, Dim) and not isinstance(high, Dim):
        return as_operand(_range(network, low, high, step, wanted), network)
    begins = low if isinstance(low, Dim) or wanted.is_floating else int(low)
    fraction = 0.0 if isinstance(begins, Dim) else begins % 1
    if isinstance(high, float) or step % 1 or (fraction and step < 0):
        network.fail(f"arange({low}, {high}, {step}): floats and sizes known at run time; scale an arange of ints", {})
    first, by = begins if isinstance(begins, Dim) else math.floor(begins), int(step)
    whole = cast(_counted(network, first, (high - first + (by - (1 if by > 0 else -1))) // by, by), wanted)
    if by == 1 and isinstance(high, Dim):
        network.ends[whole.trt] = high
    return add(whole, fraction) if fraction else whole


def _range(network: OpenNetwork, low: float, high: float, step: float, dtype: DType) -> np.ndarray[Any, Any]:
    """torch.arange's values of numbers."""
    text = f"arange({low}, {high}, {step})"
    if dtype == dtypes.bool_:
        network.fail(f"{text} of bool: make it int64 and compare", {})
    if dtype == dtypes.int64:
        low, high, step = int(low), int(high), int(step)
    if step == 0 or (high - low) * step < 0:
        network.fail(f"{text}: no number of steps of {step} leads from {low} to {high}", {})
    count = math.ceil((high - low) / step)
    first, by = (low, step) if dtype.is_floating else (int(low), int(step))
    return (first + by * np.arange(count)).astype(dtype.numpy)


def _counted(network: OpenNetwork, first: Size, count: Size, step: int) -> Tensor:
    scalar = size_tensor(network, first).reshape(())
    arguments = {"shape": (1,), "op": trt.FillOperation.LINSPACE, "output_type": trt.DataType.INT64}
    inputs = {0: size_tensor(network, count), 1: scalar, 2: constant(network, np.array([step], np.int64))}
    (y,) = network.add("fill", arguments, inputs=inputs, name="arange", dims=[(count,)])
    return y


def eye(
    n: Size,
    m: Size | None = None,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere.

    n, m: ints or Dims; m is n by default. dtype: the network's dtype by default. Returns [n, m], in that dtype.
    Layer: IConstantLayer; where a size is known only at run time, IElementWiseLayer EQUAL of two IFillLayer.
    Raises DTypeError for an unknown dtype.
    """
    network, columns = current(), n if m is None else m
    wanted = network.dtype if dtype is None else dtypes.get(dtype)
    if is_static((n, columns)):
        return as_operand(np.eye(int(n), int(columns)).astype(wanted.numpy), network)
    return cast(eq(arange(n).unsqueeze(1), arange(columns).unsqueeze(0)), wanted)


def linspace(
    start: Size | Real | float,
    end: Size | Real | float,
    steps: Size,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """`steps` evenly spaced values from `start` to `end`, both included.

    start, end: floats, or what is computed from sizes. steps: an int or a Dim. dtype: the network's dtype by default.
    Returns [steps], in that dtype.
    Layer: IConstantLayer; with sizes known only at run time it is computed in float32 from IFillLayer LINSPACE, each
    half from its end, as torch does.
    Raises DTypeError for an unknown dtype; LayerError for integers with sizes known only at run time.
    """
    network = current()
    wanted = network.dtype if dtype is None else dtypes.get(dtype)
    if isinstance(start, Dim | Real) or isinstance(end, Dim | Real) or isinstance(steps, Dim):
        if not wanted.is_floating:
            network.fail(f"linspace({start}, {end}, {steps}) of {wanted}: sizes known at run time give floats", {})
        return cast(_line(network, start, end, steps), wanted)
    return as_operand(np.linspace(start, end, steps).astype(wanted.numpy), network)


def _line(network: OpenNetwork, start: Size | Real | float, end: Size | Real | float, steps: Size) -> Tensor:
    """Values from start to end in float32. A single one is the start."""
    first, last = (as_operand(given, network, dtypes.float32) for given in (start, end))
    parts = steps - 1
    step = (last - first) / as_operand(largest(parts, 1), network, dtypes.float32)
    index = arange(steps, network=network)
    from_start = first + cast(index, dtypes.float32) * step
    from_end = last - cast(parts - index, dtypes.float32) * step
    return where(index * 2 < largest(parts, 1), from_start, from_end)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Vectors as the coordinates of a grid; views of them.

    tensors: [n], [m], ..., of any dtype, or one list of them. indexing: "ij", or "xy", which exchanges the first two
    axes. Returns a tuple of tensors [n, m, ...], each in its own dtype.
    Layer: none, decomposed into IShuffleLayer and ISliceLayer with stride 0.
    Raises LayerError for tensors of another rank, and for another indexing.
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    tensors = tuple(x.reshape(1) if x.ndim == 0 else x for x in map(as_tensor, given))
    if indexing not in ("ij", "xy"):
        current().fail(f"meshgrid: indexing is 'ij' or 'xy', found {indexing!r}", {})
    for x in tensors:
        if x.ndim != 1:
            x.network.fail(f"meshgrid takes vectors, found {counted(x.ndim, 'dimension')}", {"x": x})
    rank = len(tensors)
    places = [1, 0, *range(2, rank)] if indexing == "xy" and rank > 1 else list(range(rank))
    sizes = [tensors[place].shape[0] for place in places]
    apart = [x.reshape(*(1,) * at, -1, *(1,) * (rank - at - 1)) for x, at in zip(tensors, places, strict=True)]
    return tuple(expand(x, sizes) for x in apart)
