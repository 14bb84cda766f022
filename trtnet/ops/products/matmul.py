"""Matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from trtnet.graph import Parameter, Shape, Size, Tensor, Weight
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import broadcast, ndim_of, network_of, tensor
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.formulations import form
from trtnet.ops.reductions.reduce import sum
from trtnet.support import dtypes
from trtnet.support.backend import trt


def matmul(x: Operand, y: Operand) -> Tensor:
    """``x @ y``: the product of matrices, batches of them, or vectors.

    x: [..., n, k] or [k]. y: [..., k, m] or [k]. Both of one dtype, floating or integer: mixed ones are refused, as in
    torch. Returns [..., n, m], without n or m for a vector, in that dtype.
    Layer: IMatrixMultiplyLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM, which are exact.
    Raises LayerError for mixed dtypes, for bools, for a tensor without dimensions, and for sizes that do not fit.
    """
    return _product(x, y, "NONE")


def mm(x: Operand, y: Operand) -> Tensor:
    """``x @ y`` of two matrices.

    x: [n, k]. y: [k, m]. Both of one dtype, floating or integer. Returns [n, m], in that dtype.
    Layer: IMatrixMultiplyLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for other ranks, mixed dtypes, and sizes that do not fit.
    """
    return matmul(*ranked("mm", (2, 2), x, y))


def bmm(x: Operand, y: Operand) -> Tensor:
    """``x @ y`` of two batches of matrices.

    x: [b, n, k]. y: [b, k, m]. Both of one dtype, floating or integer. Returns [b, n, m], in that dtype.
    Layer: IMatrixMultiplyLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for other ranks, mixed dtypes, and sizes that do not fit.
    """
    return matmul(*ranked("bmm", (3, 3), x, y))


def addmm(x: Operand, mat1: Operand, mat2: Operand, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * x + alpha * mat1 @ mat2``.

    mat1: [n, k]. mat2: [k, m]. x: a shape that broadcasts to [n, m], not used for a beta of 0. All of one dtype,
    floating or integer. Returns [n, m], in that dtype.
    Layer: none, decomposed into IMatrixMultiplyLayer and IElementWiseLayer SUM.
    Raises LayerError for other ranks, and for a floating beta or alpha beside integers.
    """
    return plus(x, mm(mat1, mat2), beta, alpha)


def baddbmm(x: Operand, batch1: Operand, batch2: Operand, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * x + alpha * batch1 @ batch2``.

    batch1: [b, n, k]. batch2: [b, k, m]. x: a shape that broadcasts to [b, n, m], not used for a beta of 0. All of one
    dtype, floating or integer. Returns [b, n, m], in that dtype.
    Layer: none, decomposed into IMatrixMultiplyLayer and IElementWiseLayer SUM.
    Raises LayerError for other ranks, and for a floating beta or alpha beside integers.
    """
    return plus(x, bmm(batch1, batch2), beta, alpha)


def outer(x: Operand, y: Operand) -> Tensor:
    """``x[i] * y[j]`` of two vectors.

    x: [n]. y: [m]. Floating or integer. Returns [n, m], in torch's promoted dtype.
    Layer: IElementWiseLayer PROD.
    Raises LayerError for other ranks.
    """
    left, right = ranked("outer", (1, 1), x, y)
    return mul(left.unsqueeze(1), right)


def ranked(name: str, ranks: tuple[int, int], x: Operand, y: Operand) -> tuple[Tensor, Tensor]:
    """Both as tensors. Raises LayerError for other ranks."""
    network = network_of(x, y)
    a, b = tensor(x, network), tensor(y, network)
    if (a.ndim, b.ndim) != ranks:
        text = f"{name} takes tensors of rank {ranks[0]} and {ranks[1]}, found {a.ndim} and {b.ndim}"
        network.fail(text, {"x": a, "y": b})
    return a, b


def plus(x: Operand, product: Tensor, beta: float, alpha: float) -> Tensor:
    """``beta * x + alpha * product``; `x` is not looked at for a beta of 0.

    Raises LayerError for fractions beside integers, which torch cuts off.
    """
    if not product.dtype.is_floating and (beta % 1 or alpha % 1):
        product.network.fail(f"beta={beta} and alpha={alpha} of integers are integers", {"product": product})
    scaled = product if alpha == 1 else mul(product, alpha)
    return scaled if beta == 0 else add(x if beta == 1 else mul(x, beta), scaled)


def linear(x: Tensor, weight: Parameter, bias: Parameter | None = None) -> Tensor:
    """``x @ weight.T + bias``.

    x: [..., in_features]. weight: [out_features, in_features], or [in_features]. bias: [out_features]. All of one
    floating dtype. Returns [..., out_features], or [...] for a weight of one dimension, in that dtype.
    Layer: IMatrixMultiplyLayer with a transposed constant, and IElementWiseLayer SUM for the bias; in the form
    "reduction" of "row" (one row), IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for mixed dtypes, and for sizes that do not fit.
    """
    if is_row(x, weight) and form(x.network, "row", x.dtype, weights=prod(weight.shape)) == "reduction":
        product = sum(mul(x.unsqueeze(-2), weight), -1)
    else:
        product = _product(x, weight, "NONE" if ndim_of(weight) == 1 else "TRANSPOSE")
    return product if bias is None else add(product, bias)


def is_row(x: Tensor, weight: Operand) -> bool:
    """Whether `x` is one row, and the weight a matrix of its dtype and width."""
    return (
        isinstance(weight, Parameter | np.ndarray)
        and len(weight.shape) == 2
        and x.ndim > 0
        and all(size == 1 for size in x.shape[:-1])
        and x.shape[-1] == weight.shape[1]
        and x.dtype.is_floating
        and x.network.weight(weight).dtype == x.dtype
    )


def bilinear(x1: Tensor, x2: Tensor, weight: Operand, bias: Operand | None = None) -> Tensor:
    """``y[k] = x1 @ weight[k] @ x2 + bias[k]``.

    x1: [..., in1_features]. x2: [..., in2_features]. weight: [out_features, in1_features, in2_features]. bias:
    [out_features]. All of one floating dtype. Returns [..., out_features], in that dtype.
    Layer: none, decomposed into IMatrixMultiplyLayer, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for sizes that do not fit.
    Source: torch.nn.functional.bilinear's documentation.
    """
    kernel = tensor(weight, x1.network, x1.dtype)
    out, in1, in2 = kernel.shape
    lead = x1.shape[:-1]
    left = matmul(x1.reshape(-1, in1), kernel)
    products = sum(mul(left, x2.reshape(1, -1, in2)), -1)
    y = products.transpose(0, 1).reshape(*lead, out)
    return y if bias is None else add(y, bias)


def _product(left: Operand, right: Operand, op1: str) -> Tensor:
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
    hint = f"matmul got {k0} columns on the left and {k1} rows on the right" if k0 != k1 else ""
    axes = [axis for axis, vector in zip((-2, -1), vectors, strict=True) if vector]
    if not a.dtype.is_floating or k0 == k1 == 0:
        summed = _summed(a, b if op1 == "NONE" else b.mT, shown)
        return summed.squeeze(axes) if axes else summed
    matrix = trt.MatrixOperation
    arguments = {"input0": a, "op0": matrix.NONE, "input1": b, "op1": getattr(matrix, op1)}
    dims = [_shape(a, b, columns)]
    (product,) = network.add("matrix_multiply", arguments, name="matmul", hint=hint, dims=dims, shown=shown)
    return product.squeeze(axes) if axes else product


def _summed(a: Tensor, b: Tensor, shown: Mapping[str, object]) -> Tensor:
    """The product of integers, of which TensorRT has no layer, and that of nothing: elements multiplied and summed."""
    if a.dtype == dtypes.bool_ or a.shape[-1] != b.shape[-2]:
        text = f"matmul of {a.dtype}, {a.shape[-1]} columns on the left and {b.shape[-2]} rows on the right"
        a.network.fail(f"{text}; cast bools with .float()" if a.dtype == dtypes.bool_ else text, shown)
    return cast(sum(mul(a.unsqueeze(-1), b.unsqueeze(-3)), -2), a.dtype)


def _shown(operand: Operand, used: Tensor) -> Tensor | Weight:
    """An operand for an error: as it was given, a parameter with its checkpoint key."""
    if isinstance(operand, Parameter):
        return used.network.weight(operand)
    return operand if isinstance(operand, Tensor) else used


def _shape(a: Tensor, b: Tensor, columns: Size) -> Shape:
    return (*broadcast(a, b)[:-2], a.shape[-2], columns)
