"""What an operation may be given, and how it becomes tensors: torch's broadcasting rules."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, OpenNetwork, Parameter, Real, Tensor, current
from trtnet.graph.memory.storage import fixed
from trtnet.graph.shapes import constant, real_tensor, size_tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.promotion import result_type
from trtnet.support import dtypes
from trtnet.support.arrays import values
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType
from trtnet.support.source import here
from trtnet.support.text.counted import counted
from trtnet.support.text.messages import type_name

log = logging.getLogger("trtnet.numbers")


def not_empty(operation: str, operands: Sequence[object]) -> None:
    """Raises LayerError for an operation of several tensors that is given none."""
    if not operands:
        current().fail(f"{operation} takes at least one tensor, found none", {})


def network_of(*operands: Operand) -> OpenNetwork:
    """The network an operation adds to: that of its first tensor, else the one being defined."""
    return next((operand.network for operand in operands if isinstance(operand, Tensor)), None) or current()


def common_type(operation: str, *operands: Operand) -> DType:
    """torch's result type. Raises LayerError for dtypes that torch refuses, and for neither tensors nor numbers."""
    try:
        return result_type(*operands)
    except TypeError as error:
        network_of(*operands).fail(f"{operation}: {error}", _named(operands))


def _named(operands: tuple[Operand, ...]) -> dict[str, Operand]:
    return dict(zip(("x", "y", "z"), operands, strict=False))


def tensor(operand: Operand, network: OpenNetwork, dtype: DType | None = None, ndim: int = 0) -> Tensor:
    """An operand as a tensor of `dtype`, with leading axes of size 1 up to `ndim`."""
    if isinstance(operand, Tensor):
        return _lift(_cast(operand, dtype), ndim)
    if isinstance(operand, Dim | Real):
        value = size_tensor(network, operand) if isinstance(operand, Dim) else real_tensor(network, operand)
        return _lift(_cast(value, dtype), ndim) if ndim else _cast(value, dtype).reshape(())
    if isinstance(operand, Parameter):
        return _parameter(operand, network, dtype, ndim)
    wanted = dtype or common_type("a constant", operand)
    array = _rounded(operand, network, wanted)
    return _constant(network, array.reshape((1,) * (ndim - array.ndim) + array.shape))


def _constant(network: OpenNetwork, array: np.ndarray[Any, Any]) -> Tensor:
    """A constant; of uint8, of which TensorRT takes no weights, a cast one."""
    if array.dtype != np.uint8:
        return constant(network, array)
    return as_bytes(constant(network, array.astype(np.int32)))


_INSTEAD = {"float64": "; float32 is the widest that it computes with", "int16": "; int32 holds its values"}


def _rounded(operand: Any, network: OpenNetwork, dtype: DType) -> np.ndarray[Any, Any]:
    """A number or an array in a dtype. Raises LayerError for finite values outside the range of the dtype."""
    given = values(operand)
    if dtype.trt_name is None:
        network.fail(f"TensorRT has no {dtype}{_INSTEAD.get(dtype.name, '')}", {})
    if given.dtype.kind not in "biufV":
        network.fail(f"a constant is a number or an array of numbers, found {type_name(operand)}", {})
    with np.errstate(over="ignore", invalid="ignore"):
        array = given.astype(dtype.numpy)
    if dtype.is_floating:
        _check_floats(given, array, network, dtype)
    elif dtype != dtypes.bool_ and given.dtype.kind in "iuf" and given.size:
        _check_integers(given, network, dtype)
    return array


def _check_floats(given: np.ndarray[Any, Any], array: np.ndarray[Any, Any], network: OpenNetwork, dtype: DType) -> None:
    if (np.isinf(array) & ~np.isinf(given)).any():
        largest = given.flat[np.abs(given.astype(np.float64)).argmax()]
        network.fail(f"{largest:g} is too large for {dtype}, whose largest is {dtype.max:g}", {})
    if array.ndim == 0 and array == 0 and given != 0:
        warn(f"{given:g} is 0 in {dtype}")


def warn(what: str) -> None:
    """Warns, with the user's line, about a number that the dtype cannot represent."""
    log.warning("%s", here(f"{what}; compute with it in float32, by x.float()"))


def reached(operand: Operand, dtype: DType) -> Operand:
    """A number, or an infinity for one that a 16-bit float does not reach, which is what torch compares with."""
    if not isinstance(operand, int | float | np.number) or not dtype.is_floating or not abs(operand) > dtype.max:
        return operand
    with np.errstate(over="ignore"):
        return float(dtype.numpy.type(float(operand)))


def _check_integers(given: np.ndarray[Any, Any], network: OpenNetwork, dtype: DType) -> None:
    bounds = np.iinfo(dtype.numpy)
    low, high = given.min(), given.max()
    if not bounds.min <= low <= high <= bounds.max:
        found = high if high > bounds.max else low
        network.fail(f"{found} is out of range for {dtype}, {bounds.min} to {bounds.max}", {})


def _parameter(parameter: Parameter, network: OpenNetwork, dtype: DType | None, ndim: int) -> Tensor:
    key = ("parameter", parameter, network.dtype, ndim)
    if key not in network.cache:
        weight = network.weight(parameter)
        shape = (1,) * (ndim - len(weight.shape)) + weight.shape
        (made,) = network.add("constant", {"shape": shape, "weights": weight})
        made.strides = True
        network.cache[key] = fixed(made, "a parameter")
    return _cast(network.cache[key], dtype)


def _cast(x: Tensor, dtype: DType | None) -> Tensor:
    if dtype is None or x.dtype == dtype:
        return x
    if dtype.trt_name is None:
        x.network.fail(f"TensorRT has no {dtype}{_INSTEAD.get(dtype.name, '')}", {"x": x})
    given = _source_of_bytes(x)
    y = given if given.dtype == dtype else _cast_layer(given, dtype)
    if dtype == dtypes.uint8:
        x.network.cache["cast to uint8", y.trt.name] = x
        x.network.byte_casts.append(y.trt)
    return y


def _cast_layer(x: Tensor, dtype: DType) -> Tensor:
    (y,) = x.network.add("cast", {"input": x, "to_type": dtype.trt}, dims=[x.shape])
    if x.dtype == dtypes.float32 and dtype.is_floating and dtype.bits == 16:
        x.network.narrowed.append(x.network.maker(y))
    return y


def as_bytes(x: Tensor) -> Tensor:
    """int32 values from 0 to 255 as uint8."""
    y = _cast_layer(x, dtypes.uint8)
    x.network.cache["bytes", y.trt.name] = x
    x.network.byte_casts.append(y.trt)
    return y


def _source_of_bytes(x: Tensor) -> Tensor:
    """What to read instead of uint8 that was computed, of which TensorRT lets a network read none: what it was cast
    from, modulo 256."""
    cache, name = x.network.cache, x.trt.name
    source = cache.get(("cast to uint8", name))
    if source is None or source.dtype == dtypes.bool_:
        return source if source is not None else cache.get(("bytes", name), x)
    whole = source if source.dtype == dtypes.int64 else _cast(source, dtypes.int32)
    times = _cast(constant(x.network, np.full((1,) * x.ndim, 256, np.int32)), whole.dtype)
    multiple = _integers("FLOOR_DIV", whole, times)
    return _integers("SUB", whole, _integers("PROD", multiple, times))


def _integers(operation: str, x: Tensor, y: Tensor) -> Tensor:
    arguments = {"input1": x, "input2": y, "op": getattr(trt.ElementWiseOperation, operation)}
    (z,) = x.network.add("elementwise", arguments, name="modulo", dims=[x.shape])
    return z


def _lift(x: Tensor, ndim: int) -> Tensor:
    """Leading axes of size 1: TensorRT's elementwise layers want equal ranks."""
    missing = ndim - x.ndim
    return x if missing <= 0 else x[(None,) * missing]


def align(operation: str, *operands: Operand, dtype: DType | None = None) -> tuple[Tensor, ...]:
    """Operands as tensors of one dtype (torch's result type, unless given) and one rank.

    Raises LayerError if torch would refuse the dtypes.
    """
    network = network_of(*operands)
    wanted = dtype or common_type(operation, *operands)
    ndim = max(ndim_of(operand) for operand in operands)
    return tuple(tensor(operand, network, wanted, ndim) for operand in operands)


def align_as_floats(operation: str, *operands: Operand) -> tuple[Tensor, ...]:
    """The same, of integers in float32: what torch computes in floats it does not make one integer type of before."""
    wanted = common_type(operation, *operands)
    return align(operation, *operands, dtype=wanted if wanted.is_floating else dtypes.float32)


def ndim_of(operand: Operand) -> int:
    """The rank of an operand, 0 for a number."""
    return len(getattr(operand, "shape", ()))


def broadcast(*tensors: Tensor) -> tuple[Any, ...]:
    """The broadcast shape of tensors of equal rank as far as known: a size other than 1 wins, an int over a Dim.

    It is 1 where Dims meet that may differ: one of them may be 1 at run time, so the result has a new size.
    """
    return tuple(_widest(sizes) for sizes in zip(*(x.shape for x in tensors), strict=True))


def _widest(sizes: tuple[Any, ...]) -> Any:
    known = [size for size in sizes if isinstance(size, int) and size != 1]
    dims = {size for size in sizes if isinstance(size, Dim)}
    if known:
        return known[0]
    return dims.pop() if len(dims) == 1 else 1


def axis(x: Tensor, dim: int, operation: str) -> int:
    """A torch axis as one counted from the front. Raises LayerError if `x` has no such axis."""
    if not -x.ndim <= dim < x.ndim:
        x.network.fail(f"{operation} got dim={dim}, its input has {counted(x.ndim, 'dimension')}", {"x": x})
    return dim % x.ndim


def axes_mask(axes: tuple[int, ...]) -> int:
    """TensorRT's bit mask of axes."""
    return sum(1 << a for a in axes)
