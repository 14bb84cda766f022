"""Matrix products."""

from __future__ import annotations

from trtnet.backend import trt
from trtnet.graph import Parameter, Shape, Size, Tensor
from trtnet.graph.tensor import Operand
from trtnet.ops.elementwise import add, mul
from trtnet.ops.operands import broadcast, network_of, tensor
from trtnet.ops.reduce import sum


def matmul(x: Operand, y: Operand) -> Tensor:
    """``x @ y``: matrices in the last two axes, the others broadcast; a vector is a row (left) or a column (right).

    x: [..., n, k] or [k]. y: [..., k, m] or [k]. Both have one dtype: torch refuses mixed ones, and so does this.
    Layer: IMatrixMultiplyLayer.
    """
    network = network_of(x, y)
    left, right = tensor(x, network), tensor(y, network)
    return _product(left, right, "NONE", "NONE")


def linear(x: Tensor, weight: Parameter, bias: Parameter | None = None) -> Tensor:
    """``x @ weight.T + bias``. x: [..., in_features]. weight: [out_features, in_features]. bias: [out_features].

    Layers: IMatrixMultiplyLayer with a transposed constant, IElementWiseLayer SUM.
    """
    product = _product(x, tensor(weight, x.network, ndim=max(x.ndim, 2)), "NONE", "TRANSPOSE")
    return product if bias is None else add(product, bias)


def bilinear(x1: Tensor, x2: Tensor, weight: Operand, bias: Operand | None = None) -> Tensor:
    """``y[k] = x1 @ weight[k] @ x2 + bias[k]``.

    x1: [..., in1_features]. x2: [..., in2_features]. weight: [out_features, in1_features, in2_features].
    """
    kernel = tensor(weight, x1.network, x1.dtype)
    out, in1, in2 = kernel.shape
    lead = x1.shape[:-1]
    left = _product(x1.reshape(-1, in1), kernel, "NONE", "NONE")
    products = sum(mul(left, x2.reshape(1, -1, in2)), -1)
    y = products.transpose(0, 1).reshape(*lead, out)
    return y if bias is None else add(y, bias)


def _product(x: Tensor, y: Tensor, op0: str, op1: str) -> Tensor:
    if x.dtype != y.dtype:
        x.network.fail(f"matmul of {x.dtype} and {y.dtype}; cast one of them with .to()", {"x": x, "y": y})
    vectors = (x.ndim == 1, y.ndim == 1)
    if vectors[0]:
        x = x.unsqueeze(0)
    if vectors[1]:
        y = y.unsqueeze(1)
    ndim = max(x.ndim, y.ndim)
    a, b = tensor(x, x.network, ndim=ndim), tensor(y, x.network, ndim=ndim)
    k0, k1 = a.shape[-1], b.shape[-2] if op1 == "NONE" else b.shape[-1]
    columns = b.shape[-1] if op1 == "NONE" else b.shape[-2]
    hint = f"matmul got {k0} columns on the left and {k1} rows on the right" if k0 != k1 else ""
    matrix = trt.MatrixOperation
    arguments = {"input0": a, "op0": getattr(matrix, op0), "input1": b, "op1": getattr(matrix, op1)}
    (product,) = a.network.add("matrix_multiply", arguments, name="matmul", hint=hint, dims=[_shape(a, b, columns)])
    axes = [axis for axis, vector in zip((-2, -1), vectors, strict=True) if vector]
    return product.squeeze(axes) if axes else product


def _shape(a: Tensor, b: Tensor, columns: Size) -> Shape:
    return (*broadcast(a, b)[:-2], a.shape[-2], columns)
