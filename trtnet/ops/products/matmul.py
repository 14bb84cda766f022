"""Matrix products."""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import network_of, tensor
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import known
from trtnet.ops.normalization.behind import of_rows
from trtnet.ops.positions.steps import Arguments, by_position
from trtnet.ops.products.accumulation import product_with_weight
from trtnet.ops.products.flattened import Weights
from trtnet.ops.products.heads import apart
from trtnet.ops.products.layer import product
from trtnet.ops.quantization.weights import quantized, quantized_weight
from trtnet.ops.reductions.reduce import sum


def _rows(given: Arguments, ndim: int, axis: int) -> dict[str, int] | None:
    """The rows of the left operand; all of its axes but the last one where the right operand is one matrix."""
    left, right = (len(given[name].shape) for name in ("x", "y"))
    is_row = axis == ndim - 2 or (right == 2 and axis < ndim - 1)
    return {"x": axis} if is_row and left == ndim and right > 1 and isinstance(given["x"], Tensor) else None


@by_position(_rows, is_product=True)
def matmul(x: Operand, y: Operand) -> Tensor:
    """``x @ y``: the product of matrices, batches of them, or vectors.

    x: [..., n, k] or [k]. y: [..., k, m] or [k]. Both of one dtype, floating or integer: mixed dtypes are an error, as
    in torch. Returns [..., n, m], without n or m for a vector, in that dtype.
    Layer: IMatrixMultiplyLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM, which are exact.
    Raises LayerError for mixed dtypes, for bools, for a tensor without dimensions, and for sizes that do not fit.
    """
    left, right = (apart(each) if isinstance(each, Tensor) else _weight(each, x, y) for each in (x, y))
    if isinstance(left, Tensor) and isinstance(right, Parameter | np.ndarray) and _is_layer(left, right):
        behind = of_rows(left, right, None, stored=True)
        return stored(left, right) if behind is None else behind
    return product(left, right, "NONE")


def _is_layer(x: Tensor, weight: Weights) -> bool:
    """Whether the weight is a matrix of the dtype and width of `x`, as [in_features, out_features]."""
    fits = len(weight.shape) == 2 and x.ndim > 1 and x.shape[-1] == weight.shape[0]
    return fits and x.dtype.is_floating and x.network.weight(weight).dtype == x.dtype


def _stored_facts(x: Tensor, weight: Weights) -> dict[str, int]:
    """How many rows are multiplied, and the sizes of the weight."""
    return {"rows": prod(map(known, x.shape[:-1])), "in_features": weight.shape[0], "out_features": weight.shape[1]}


@formulated("stored_product", "product", facts=_stored_facts)
def stored(x: Tensor, weight: Weights) -> Tensor:
    """The product with a weight that is stored as [in_features, out_features], as GPT-2's are."""
    return product_with_weight(x, weight, "NONE")


def _weight(operand: Operand, *operands: Operand) -> Operand:
    """An operand that is not a tensor; a weight that is quantized, dequantized."""
    network = network_of(*operands)
    found = quantized(network, operand)
    return operand if found is None else quantized_weight(network, operand, found)  # type: ignore[arg-type]


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
        product.network.fail(f"beta={beta} and alpha={alpha} of integers must be integers", {"product": product})
    scaled = product if alpha == 1 else mul(product, alpha)
    return scaled if beta == 0 else add(x if beta == 1 else mul(x, beta), scaled)


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
