"""Products of vectors and matrices beside matmul, with torch's names and arguments."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import reduce

from trtnet.graph import Tensor
from trtnet.graph.sizes.dim import is_static
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import align, axis, network_of, not_empty, tensor
from trtnet.ops.elementwise.arithmetic import mul, sub
from trtnet.ops.products.einsum import einsum
from trtnet.ops.products.matmul import bmm, matmul, outer, plus, ranked
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.shapes.rearrange import roll
from trtnet.ops.shapes.views import diagonal
from trtnet.support.text.counted import counted


def mv(x: Operand, vec: Operand) -> Tensor:
    """``x @ vec``.

    x: [n, k]. vec: [k]. Both of one dtype, floating or integer. Returns [n], in that dtype.
    Layer: IMatrixMultiplyLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for other ranks, mixed dtypes, and sizes that do not fit.
    """
    return matmul(*ranked("mv", (2, 1), x, vec))


def dot(x: Operand, other: Operand) -> Tensor:
    """The sum of the products of two vectors.

    x, other: [n], of one dtype, floating or integer. Returns a scalar [], in that dtype.
    Layer: IMatrixMultiplyLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for other ranks, mixed dtypes, and sizes that do not fit.
    """
    return matmul(*ranked("dot", (1, 1), x, other))


vdot = dot


def inner(x: Operand, other: Operand) -> Tensor:
    """The sums of products along the last axes; the product with a scalar.

    x: [..., k]. other: [...', k]. Of one dtype, floating or integer. Returns [..., ...'], in that dtype.
    Layer: IEinsumLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for mixed dtypes, and for last sizes that differ.
    """
    network = network_of(x, other)
    a, b = tensor(x, network), tensor(other, network)
    return mul(a, b) if 0 in (a.ndim, b.ndim) else tensordot(a, b, ([-1], [-1]))


def tensordot(a: Operand, b: Operand, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """The sums of products along axes of `a` and of `b`.

    a, b: any shapes, of one dtype, floating or integer. dims: how many of the last axes of `a` and the first of `b`, or
    two lists of axes. Returns the other axes of `a`, then those of `b`, in that dtype: [n, k] and [k, m] -> [n, m] for
    dims=1.
    Layer: IEinsumLayer; for integers, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for lists of different lengths, axes out of range, and sizes that differ.
    """
    network = network_of(a, b)
    left, right = tensor(a, network), tensor(b, network)
    named = {"a": left, "b": right}
    if isinstance(dims, int):
        if not 0 <= dims <= min(left.ndim, right.ndim):
            ranks = f"{left.ndim} and {counted(right.ndim, 'dimension')}"
            network.fail(f"tensordot along {counted(dims, 'axis', 'axes')} of {ranks}", named)
        dims = (range(left.ndim - dims, left.ndim), range(dims))
    ours, theirs = ([axis(x, d, "tensordot") for d in which] for x, which in zip((left, right), dims, strict=True))
    if len(ours) != len(theirs):
        network.fail(
            f"tensordot along {counted(len(ours), 'axis', 'axes')} of one and {len(theirs)} of the other", named
        )
    letters = string.ascii_lowercase
    first = list(letters[: left.ndim])
    second = list(letters[left.ndim : left.ndim + right.ndim])
    for i, j in zip(ours, theirs, strict=True):
        second[j] = first[i]
    kept = [c for i, c in enumerate(first) if i not in ours] + [c for j, c in enumerate(second) if j not in theirs]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", left, right)


def kron(x: Operand, other: Operand) -> Tensor:
    """The Kronecker product: every element of `x` times the whole of `other`.

    x: [a, b, ...]. other: [c, d, ...]. Floating or integer. Returns [a c, b d, ...], in torch's promoted dtype.
    Layer: IElementWiseLayer PROD, between reshapes by IShuffleLayer.
    Raises LayerError for an operand that is neither a tensor nor a number.
    Source: torch.kron's documentation.
    """
    a, b = align("kron", x, other)
    pairs = mul(
        a.reshape(*(size for n in a.shape for size in (n, 1))), b.reshape(*(size for n in b.shape for size in (1, n)))
    )
    return pairs.reshape(*(n * m for n, m in zip(a.shape, b.shape, strict=True)))


def cross(x: Operand, other: Operand, dim: int | None = None) -> Tensor:
    """The cross products of vectors of 3 along `dim`, by default the first axis of that size.

    x, other: [..., 3, ...], shapes that broadcast, floating or integer. Returns the broadcast shape, in torch's
    promoted dtype.
    Layer: none, decomposed into ISliceLayer (rolls) and IElementWiseLayer PROD and SUB.
    Raises LayerError for another size than 3, and where sizes known only at run time decide which axis that is.
    Source: torch.cross's documentation.
    """
    a, b = align("cross", x, other)
    named = {"x": a, "other": b}
    found = next((i for i, size in enumerate(a.shape) if size == 3), None) if dim is None else axis(a, dim, "cross")
    if dim is None and not is_static(a.shape[:found]):
        a.network.fail("cross: the first axis of size 3 is known only at run time; give dim=", named)
    if found is None or not a.shape[found] == b.shape[found] == 3:
        a.network.fail("cross takes vectors of 3 along dim", named)
    after, before = ((roll(v, -1, found), roll(v, -2, found)) for v in (a, b))
    return sub(mul(after[0], before[1]), mul(after[1], before[0]))


def addmv(x: Operand, mat: Operand, vec: Operand, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * x + alpha * mat @ vec``.

    mat: [n, k]. vec: [k]. x: a shape that broadcasts to [n], not used for a beta of 0. All of one dtype, floating or
    integer. Returns [n], in that dtype.
    Layer: none, decomposed into IMatrixMultiplyLayer and IElementWiseLayer SUM.
    Raises LayerError for other ranks, and for a floating beta or alpha beside integers.
    """
    return plus(x, mv(mat, vec), beta, alpha)


def addr(x: Operand, vec1: Operand, vec2: Operand, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * x + alpha * outer(vec1, vec2)``.

    vec1: [n]. vec2: [m]. x: a shape that broadcasts to [n, m], not used for a beta of 0. Floating or integer. Returns
    [n, m], in torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer PROD and SUM.
    Raises LayerError for other ranks, and for a floating beta or alpha beside integers.
    """
    return plus(x, outer(vec1, vec2), beta, alpha)


def addbmm(x: Operand, batch1: Operand, batch2: Operand, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * x + alpha * sum of batch1[i] @ batch2[i]`` over the batch.

    batch1: [b, n, k]. batch2: [b, k, m]. x: a shape that broadcasts to [n, m], not used for a beta of 0. All of one
    dtype, floating or integer. Returns [n, m], in that dtype.
    Layer: none, decomposed into IMatrixMultiplyLayer, IReduceLayer SUM and IElementWiseLayer SUM.
    Raises LayerError for other ranks, and for a floating beta or alpha beside integers.
    """
    products = bmm(batch1, batch2)
    return plus(x, sum(products, 0, dtype=products.dtype), beta, alpha)


def chain_matmul(*matrices: Operand) -> Tensor:
    """The product of several matrices, from left to right: TensorRT multiplies in the order of the network.

    matrices: [n, k], [k, m], ..., of one dtype, floating or integer. Returns [n, last m], in that dtype.
    Layer: IMatrixMultiplyLayer for each product; for integers, IElementWiseLayer PROD and IReduceLayer SUM.
    Raises LayerError for other ranks, mixed dtypes, and sizes that do not fit.
    """
    not_empty("chain_matmul", matrices)
    return reduce(lambda x, y: matmul(*ranked("chain_matmul", (2, 2), x, y)), matrices)  # type: ignore[return-value]


def trace(x: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix.

    x: [n, m], floating or integer. Returns a scalar [], in the dtype of `x`; int64 for integers.
    Layer: none, decomposed into IGatherLayer (the diagonal) and IReduceLayer SUM.
    Raises LayerError for another rank.
    """
    if x.ndim != 2:
        x.network.fail(f"trace takes a matrix, found {counted(x.ndim, 'dimension')}", {"x": x})
    return sum(diagonal(x), 0)
