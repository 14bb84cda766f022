"""What an operation may be given, and how it becomes tensors: torch's promotion and broadcasting rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet import dtypes
from trtnet.dtypes import DType
from trtnet.graph import Dim, Network, Parameter, Tensor, current
from trtnet.graph.shapes import constant, size_tensor
from trtnet.graph.tensor import Operand

_INTEGER_ORDER = (dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int32, dtypes.int64)


def network_of(*operands: Operand) -> Network:
    """The network an operation adds to: that of its first tensor, else the one being defined."""
    return next((operand.network for operand in operands if isinstance(operand, Tensor)), None) or current()


def promote(left: DType, right: DType) -> DType:
    """torch's result type of two tensors: floats over integers, float32 over the 16-bit floats.

    Raises TypeError for a pair torch has no result type for (float8 with anything else).
    """
    if left == right:
        return left
    if left.is_floating != right.is_floating:
        return left if left.is_floating else right
    if left.is_floating:
        if left.bits < 16 or right.bits < 16:
            raise TypeError(f"{left} and {right} have no common dtype; cast one of them with .to()")
        return dtypes.float32
    return max(left, right, key=_INTEGER_ORDER.index)


def result_type(*operands: Operand) -> DType:
    """torch's result type: tensors decide; a Python number only adds its kind (a float makes integers float32)."""
    typed = [_dtype(operand) for operand in operands]
    strong = [dtype for dtype in typed if dtype is not None]
    weak = [_weak(operand) for operand, dtype in zip(operands, typed, strict=True) if dtype is None]
    if not strong:
        return max(weak, key=_weak_rank)
    result = strong[0]
    for dtype in strong[1:]:
        result = promote(result, dtype)
    for dtype in weak:
        if _weak_rank(dtype) > _weak_rank(result):
            result = dtype
    return result


def _dtype(operand: Operand) -> DType | None:
    """The dtype an operand insists on; None for Python numbers, Dims and float64 arrays, which take the other's."""
    if isinstance(operand, Tensor):
        return operand.dtype
    if isinstance(operand, Parameter):
        return dtypes.get(operand.dtype) if operand.dtype else current().dtype
    if isinstance(operand, np.ndarray) and operand.dtype != np.float64:
        return dtypes.get(operand.dtype)
    return None


def _weak(operand: Operand) -> DType:
    if isinstance(operand, bool | np.bool_):
        return dtypes.bool_
    return dtypes.int64 if isinstance(operand, int | Dim | np.integer) else dtypes.float32


def _weak_rank(dtype: DType) -> int:
    return 2 if dtype.is_floating else int(dtype != dtypes.bool_)


def tensor(operand: Operand, network: Network, dtype: DType | None = None, ndim: int = 0) -> Tensor:
    """An operand as a tensor of `dtype`, with leading axes of size 1 up to `ndim`."""
    if isinstance(operand, Tensor):
        return _lift(_cast(operand, dtype), ndim)
    if isinstance(operand, Dim):
        return _lift(_cast(size_tensor(network, operand), dtype), ndim)
    if isinstance(operand, Parameter):
        return _parameter(operand, network, dtype, ndim)
    wanted = dtype or _dtype(operand) or _weak(operand)
    array = _rounded(operand, network, wanted)
    return constant(network, array.reshape((1,) * (ndim - array.ndim) + array.shape))


def _rounded(operand: Any, network: Network, dtype: DType) -> np.ndarray[Any, Any]:
    """A number or an array in a dtype. Raises LayerError for finite values that the dtype has not."""
    given = np.asarray(operand)
    with np.errstate(over="ignore"):
        array = given.astype(dtype.numpy)
    if dtype.is_floating and (np.isinf(array) & ~np.isinf(given)).any():
        largest = given.flat[np.abs(given.astype(np.float64)).argmax()]
        network.fail(f"{largest:g} is too large for {dtype}, whose largest is {dtype.max:g}", {})
    return array


def _parameter(parameter: Parameter, network: Network, dtype: DType | None, ndim: int) -> Tensor:
    key = ("parameter", parameter, network.dtype, ndim)
    if key not in network.cache:
        weight = network.weight(parameter)
        shape = (1,) * (ndim - len(weight.shape)) + weight.shape
        (network.cache[key],) = network.add("constant", {"shape": shape, "weights": weight})
    return _cast(network.cache[key], dtype)


def _cast(x: Tensor, dtype: DType | None) -> Tensor:
    if dtype is None or x.dtype == dtype:
        return x
    (y,) = x.network.add("cast", {"input": x, "to_type": dtype.trt}, dims=[x.shape])
    return y


def _lift(x: Tensor, ndim: int) -> Tensor:
    """Leading axes of size 1: TensorRT's elementwise layers want equal ranks."""
    missing = ndim - x.ndim
    return x if missing <= 0 else x[(None,) * missing]


def align(operation: str, *operands: Operand, dtype: DType | None = None) -> tuple[Tensor, ...]:
    """Operands as tensors of one dtype (torch's result type, unless given) and one rank.

    Raises LayerError if torch would refuse the dtypes.
    """
    network = network_of(*operands)
    named = dict(zip(("x", "y", "z"), operands, strict=False))
    try:
        wanted = dtype or result_type(*operands)
    except TypeError as error:
        network.fail(f"{operation}: {error}", named)
    ndim = max(ndim_of(operand) for operand in operands)
    return tuple(tensor(operand, network, wanted, ndim) for operand in operands)


def ndim_of(operand: Operand) -> int:
    """The rank of an operand, 0 for a number."""
    return len(operand.shape) if isinstance(operand, Tensor | Parameter | np.ndarray) else 0


def broadcast(*tensors: Tensor) -> tuple[Any, ...]:
    """The broadcast shape of tensors of equal rank as far as known: a size other than 1 wins, an int over a Dim."""
    return tuple(_widest(sizes) for sizes in zip(*(x.shape for x in tensors), strict=True))


def _widest(sizes: tuple[Any, ...]) -> Any:
    known = [size for size in sizes if isinstance(size, int) and size != 1]
    dims = [size for size in sizes if isinstance(size, Dim)]
    return (known or dims or [1])[0]


def axis(x: Tensor, dim: int, operation: str) -> int:
    """A torch axis as one counted from the front. Raises LayerError if `x` has no such axis."""
    if not -x.ndim <= dim < x.ndim:
        x.network.fail(f"{operation} got dim={dim}, its input has {x.ndim} dimensions", {"x": x})
    return dim % x.ndim


def axes_mask(axes: tuple[int, ...]) -> int:
    """TensorRT's bit mask of axes."""
    return sum(1 << a for a in axes)
