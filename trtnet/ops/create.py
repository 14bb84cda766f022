"""Tensors out of nothing.

device, layout, requires_grad, pin_memory and memory_format are torch's, so that its code goes on: an engine has one
device and one layout, and no gradients, and they change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Network, Real, Size, Tensor, current
from trtnet.graph.shapes import constant, size_tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.graph.symbolic import Symbolic
from trtnet.graph.tensors.tensor import Operand
from trtnet.ops.arguments.operands import common_type, network_of, tensor as as_operand
from trtnet.ops.elementwise.basic import cast, eq
from trtnet.ops.shapes.shape import expand, stack
from trtnet.support import dtypes
from trtnet.support.arrays import is_torch, values
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType, DTypeLike


def as_tensor(data: Any, dtype: DTypeLike | None = None, device: Any = None) -> Tensor:
    """An array, a number, a size, a Parameter, or a list of them, as a tensor. Layer: a constant, or those of sizes.

    dtype: by default that of the array; of Python's numbers int64, bool, or torch's default float32. device: torch's;
    an engine has one. Raises LayerError for what holds anything else.
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
    """torch.tensor: numbers, sizes or lists of them as a tensor, as `as_tensor` says."""
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
    network: Network | None = None,
    *,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """[start, start + step, ...), below end, or above it for a negative step; ``arange(n)`` counts from 0.

    int64 by default, float32 if one of the three is a float. Of int64 the three are cut to integers first; of another
    integer dtype the elements are, as many as there would be of floats: so it is in torch. Layer: a constant, or
    IFillLayer where a size is known only when the engine runs. Raises LayerError for such a size with a float, for
    bool, and for an end that no number of steps leads to.
    """
    network = network or current()
    low, high = (0, start) if end is None else (start, end)
    if any(isinstance(value, Real) for value in (low, high, step)):
        network.fail(f"arange({low}, {high}, {step}): floats and sizes known at run time; scale an arange of ints", {})
    floating = any(isinstance(value, float) for value in (low, high, step))
    wanted = dtypes.get(dtype or ("float32" if floating else "int64"))
    if not isinstance(low, Dim) and not isinstance(high, Dim):
        return as_operand(_range(network, low, high, step, wanted), network)
    if isinstance(low, float) or isinstance(high, float) or isinstance(step, float):
        network.fail(f"arange({low}, {high}, {step}): floats and sizes known at run time; scale an arange of ints", {})
    count = (high - low + (step - (1 if step > 0 else -1))) // step
    return cast(_counted(network, low, count, step), wanted)


def _range(network: Network, low: float, high: float, step: float, dtype: DType) -> np.ndarray[Any, Any]:
    """torch.arange's values of numbers."""
    text = f"arange({low}, {high}, {step})"
    if dtype == dtypes.bool_:
        network.fail(f"{text} of bool: make it of int64 and compare", {})
    if dtype == dtypes.int64:
        low, high, step = int(low), int(high), int(step)
    if step == 0 or (high - low) * step < 0:
        network.fail(f"{text}: no number of steps of {step} leads from {low} to {high}", {})
    count = math.ceil((high - low) / step)
    first, by = (low, step) if dtype.is_floating else (int(low), int(step))
    return (first + by * np.arange(count)).astype(dtype.numpy)


def _counted(network: Network, first: Size, count: Size, step: int) -> Tensor:
    scalar = size_tensor(network, first).reshape(())
    arguments = {"shape": (1,), "op": trt.FillOperation.LINSPACE, "output_type": trt.DataType.INT64}
    inputs = {0: size_tensor(network, count), 1: scalar, 2: constant(network, np.array([step], np.int64))}
    (y,) = network.add("fill", arguments, inputs=inputs, name="arange", dims=[(count,)])
    return y


def full(
    size: Sequence[Size],
    fill_value: Operand,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of one value; by default int64 or bool as that is, of floats in the network's dtype.

    Layer: a constant, expanded.
    """
    network, sizes = current(), (size,) if isinstance(size, int | Dim) else tuple(size)
    kept = dtypes.bool_ if isinstance(fill_value, bool) else dtypes.int64
    default = kept if isinstance(fill_value, int | Dim) else network.dtype
    wanted = default if dtype is None else dtypes.get(dtype)
    return expand(as_operand(fill_value, network, wanted, len(sizes)), sizes)


def zeros(
    *size: Any,
    dtype: DTypeLike | None = None,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of zeros, ``zeros(2, 3)`` or ``zeros((2, 3))``; of the network's dtype by default."""
    return _filled(size, 0, dtype)


def ones(
    *size: Any,
    dtype: DTypeLike | None = None,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of ones, ``ones(2, 3)`` or ``ones((2, 3))``; of the network's dtype by default."""
    return _filled(size, 1, dtype)


def empty(
    *size: Any,
    dtype: DTypeLike | None = None,
    device: Any = None,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor to be written to, here of zeros; of the network's dtype by default."""
    return _filled(size, 0, dtype)


def _filled(size: tuple[Any, ...], value: int, dtype: DTypeLike | None) -> Tensor:
    """Of sizes one by one or in one sequence, after which a dtype may stand."""
    given = list(size)
    if len(given) == 2 and isinstance(given[0], list | tuple) and dtype is None:
        dtype = given.pop()
    apart = given[0] if len(given) == 1 and isinstance(given[0], list | tuple) else given
    return full(apart, value, current().dtype if dtype is None else dtype)


def full_like(
    x: Tensor,
    fill_value: Operand,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of one value, of the shape and the dtype of `x`."""
    wanted = x.dtype if dtype is None else dtypes.get(dtype)
    return expand(as_operand(fill_value, x.network, wanted, x.ndim), x.shape)


def zeros_like(
    x: Tensor,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Zeros of the shape and the dtype of `x`."""
    return full_like(x, 0, dtype)


def ones_like(
    x: Tensor,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Ones of the shape and the dtype of `x`."""
    return full_like(x, 1, dtype)


def empty_like(
    x: Tensor,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor to be written to, here of zeros, of the shape and the dtype of `x`."""
    return full_like(x, 0, dtype)


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
    """[n, m] with 1 on the diagonal and 0 elsewhere; m is n by default. Of the network's dtype by default."""
    network, columns = current(), n if m is None else m
    wanted = network.dtype if dtype is None else dtypes.get(dtype)
    if is_static((n, columns)):
        return as_operand(np.eye(int(n), int(columns)).astype(wanted.numpy), network)
    return cast(eq(arange(n).unsqueeze(1), arange(columns).unsqueeze(0)), wanted)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: DTypeLike | None = None,
    device: Any = None,
    *,
    layout: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """`steps` values from start to end, both included. Layer: a constant."""
    network = current()
    wanted = network.dtype if dtype is None else dtypes.get(dtype)
    return as_operand(np.linspace(start, end, steps).astype(wanted.numpy), network)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Vectors as the coordinates of a grid: of n, m, ... elements, tensors [n, m, ...]; "xy" exchanges the first two.

    They may stand in one list. Raises LayerError for tensors of another rank, or another indexing.
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    tensors = tuple(x.reshape(1) if x.ndim == 0 else x for x in map(as_tensor, given))
    if indexing not in ("ij", "xy"):
        current().fail(f"meshgrid: indexing is 'ij' or 'xy', found {indexing!r}", {})
    for x in tensors:
        if x.ndim != 1:
            x.network.fail(f"meshgrid takes vectors, found {x.ndim} dimensions", {"x": x})
    rank = len(tensors)
    places = [1, 0, *range(2, rank)] if indexing == "xy" and rank > 1 else list(range(rank))
    sizes = [tensors[place].shape[0] for place in places]
    apart = [x.reshape(*(1,) * at, -1, *(1,) * (rank - at - 1)) for x, at in zip(tensors, places, strict=True)]
    return tuple(expand(x, sizes) for x in apart)
