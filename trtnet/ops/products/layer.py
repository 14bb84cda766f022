"""TensorRT's layer of matrix products."""

from __future__ import annotations

from collections.abc import Mapping

from trtnet.graph import Parameter, Shape, Size, Tensor, Weight
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import broadcast, ndim_of, network_of, tensor
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.reductions.reduce import sum
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.text.counted import counted


def product(left: Operand, right: Operand, op1: str) -> Tensor:
    """``left @ right``, or ``left @ right.T`` with TRANSPOSE."""
    network = network_of(left, right)
    vectors = (ndim_of(left) == 1, ndim_of(right) == 1)
    ndim = max(ndim_of(left), ndim_of(right), 2)
    a = tensor(left, network, ndim=ndim)
    b = tensor(tensor(right, network).unsqueeze(1) if vectors[1] else right, network, ndim=ndim)
    shown = {"x": _shown(left, a), "weight" if isinstance(right, Parameter) else "y": _shown(right, b)}
    if 0 in (ndim_of(left), ndim_of(right)):
        network.fail("matmul of a tensor without dimensions; use ops.mul", shown)
    if a.dtype != b.dtype:
        network.fail(f"matmul of {a.dtype} and {b.dtype}; cast one of them with .to()", shown)
    k0, k1 = a.shape[-1], b.shape[-2] if op1 == "NONE" else b.shape[-1]
    columns = b.shape[-1] if op1 == "NONE" else b.shape[-2]
    hint = f"matmul got {counted(k0, 'column')} on the left and {counted(k1, 'row')} on the right" if k0 != k1 else ""
    axes = [axis for axis, vector in zip((-2, -1), vectors, strict=True) if vector]
    if not a.dtype.is_floating or k0 == k1 == 0:
        summed = _summed(a, b if op1 == "NONE" else b.mT, shown)
        return summed.squeeze(axes) if axes else summed
    matrix = trt.MatrixOperation
    arguments = {"input0": a, "op0": matrix.NONE, "input1": b, "op1": getattr(matrix, op1)}
    dims = [_shape(a, b, columns)]
    (y,) = network.add("matrix_multiply", arguments, name="matmul", hint=hint, dims=dims, shown=shown)
    return y.squeeze(axes) if axes else y


def _summed(a: Tensor, b: Tensor, shown: Mapping[str, object]) -> Tensor:
    """The product of integers, of which TensorRT has no layer, and that of nothing: elements multiplied and summed."""
    if a.dtype == dtypes.bool_ or a.shape[-1] != b.shape[-2]:
        columns, rows = counted(a.shape[-1], "column"), counted(b.shape[-2], "row")
        text = f"matmul of {a.dtype}, {columns} on the left and {rows} on the right"
        a.network.fail(f"{text}; cast bools with .float()" if a.dtype == dtypes.bool_ else text, shown)
    return cast(sum(mul(a.unsqueeze(-1), b.unsqueeze(-3)), -2), a.dtype)


def _shown(operand: Operand, used: Tensor) -> Tensor | Weight:
    """An operand for an error: as it was given, a parameter with its checkpoint key."""
    if isinstance(operand, Parameter):
        return used.network.weight(operand)
    return operand if isinstance(operand, Tensor) else used


def _shape(a: Tensor, b: Tensor, columns: Size) -> Shape:
    return (*broadcast(a, b)[:-2], a.shape[-2], columns)
