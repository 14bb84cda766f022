"""Shapes as tensors, for what is truly dynamic: the value of a Dim, and a shape that contains one."""

from __future__ import annotations

import numpy as np

from trtnet.graph.memory.storage import fixed
from trtnet.graph.sizes.dim import Dim, Shape, Size
from trtnet.graph.sizes.origins import Arithmetic, Axis, Value
from trtnet.graph.sizes.real import Real
from trtnet.graph.tensors.tensor import OpenNetwork, Tensor
from trtnet.support import dtypes
from trtnet.support.backend import trt


def constant(network: OpenNetwork, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Tensor:
    """An array as a constant layer, one for equal arrays."""
    key = ("constant", array.dtype.str, array.dtype.name, array.shape, array.tobytes())
    if key not in network.cache:
        made = _constant(network, array) if array.size else _nothing(network, array)
        made.strides = True
        network.known.give(made.trt, array)
        network.cache[key] = fixed(made, "a constant of the network")
    return network.cache[key]


def _constant(network: OpenNetwork, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Tensor:
    weight = network.weight(array)
    (made,) = network.add("constant", {"shape": weight.shape, "weights": weight})
    return made


def _nothing(network: OpenNetwork, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Tensor:
    """An array without elements, which TensorRT has as a slice of one that has some."""
    some = constant(network, np.zeros([max(size, 1) for size in array.shape], array.dtype))
    where = {"start": (0,) * array.ndim, "shape": array.shape, "stride": (1,) * array.ndim}
    (made,) = network.add("slice", {"input": some, **where}, name="nothing")
    return made


def size_tensor(network: OpenNetwork, size: Size) -> Tensor:
    """The value of a size as an int64 tensor of shape [1]; each Dim is computed once a network."""
    if isinstance(size, int):
        return constant(network, np.array([size], np.int64))
    if size not in network.cache:
        network.cache[size] = fixed(_computed(network, size).fresh(), "a size")
    return network.cache[size]


def real_tensor(network: OpenNetwork, real: Real | Size | float) -> Tensor:
    """A float of sizes as a float32 tensor of shape [1], from its quotient of two sizes where it has one."""
    if isinstance(real, int | float):
        return constant(network, np.array([real], np.float32))
    if isinstance(real, Dim):
        return size_tensor(network, real).to(dtypes.float32)
    if real not in network.cache:
        terms = real.ratio or (real.origin.left, real.origin.right)
        operation = "DIV" if real.ratio else real.origin.operation
        left, right = (real_tensor(network, term) for term in terms)
        value = left if terms == (terms[0], 1) else _elementwise(network, operation, left, right)
        network.cache[real] = fixed(value.fresh(), "a size")
    return network.cache[real]


def shape_tensor(network: OpenNetwork, shape: Shape) -> Tensor:
    """A shape as an int64 tensor of shape [rank]."""
    pieces = [size_tensor(network, size) for size in shape]
    if len(pieces) == 1:
        return pieces[0]
    (joined,) = network.add("concatenation", {"inputs": pieces}, attributes={"axis": 0}, name="shape")
    return joined


def _computed(network: OpenNetwork, dim: Dim) -> Tensor:
    if isinstance(dim.origin, Arithmetic):
        return _arithmetic(network, dim.origin)
    if isinstance(dim.origin, Value):
        return _element(network, dim.origin)
    return _at(network, _shape_of(network, dim.origin), dim.origin.axis)


def _at(network: OpenNetwork, vector: Tensor, index: int) -> Tensor:
    where = {"start": (index,), "shape": (1,), "stride": (1,)}
    (value,) = network.add("slice", {"input": vector, **where}, name="size")
    return value


def _element(network: OpenNetwork, origin: Value) -> Tensor:
    integers = origin.tensor.to("int64")
    return integers.reshape(1) if integers.ndim == 0 else _at(network, integers, origin.index)


def _arithmetic(network: OpenNetwork, origin: Arithmetic) -> Tensor:
    left, right = size_tensor(network, origin.left), size_tensor(network, origin.right)
    return _elementwise(network, origin.operation, left, right)


def _elementwise(network: OpenNetwork, operation: str, left: Tensor, right: Tensor) -> Tensor:
    arguments = {"input1": left, "input2": right, "op": getattr(trt.ElementWiseOperation, operation)}
    (value,) = network.add("elementwise", arguments, name="size")
    return value


def _shape_of(network: OpenNetwork, origin: Axis) -> Tensor:
    key = ("shape", origin.tensor.trt)
    if key not in network.cache:
        (network.cache[key],) = network.add("shape", {"input": origin.tensor})
    return network.cache[key]
