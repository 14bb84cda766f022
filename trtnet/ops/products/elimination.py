"""Small matrices inverted, solved and decomposed, a column after the other: of known size, computed in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import network_of, tensor
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import mul, sub
from trtnet.ops.elementwise.comparison import eq, ge, gt, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import abs, log, sqrt
from trtnet.ops.filled import ones_like, zeros_like
from trtnet.ops.indexing.choose import take_along_dim
from trtnet.ops.indexing.index import getitem
from trtnet.ops.products.matmul import matmul
from trtnet.ops.reductions.extremes import argmax
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.shape import unsqueeze

MOST = 64
"""Rows of a matrix: each takes a dozen layers."""


class Determinant(NamedTuple):
    """The sign of a determinant and the logarithm of its size."""

    sign: Tensor
    logabsdet: Tensor


@dataclass(frozen=True)
class _Solved:
    """What elimination leaves. right: the inverse times what was on the right. pivots, signs: of each column."""

    right: Tensor
    pivots: list[Tensor]
    signs: list[Tensor]


def inverse(x: Tensor) -> Tensor:
    """The inverses of matrices, by elimination with the largest pivots; not finite for one that is singular.

    x: [..., n, n], floating, of a known n of at most 64. Returns [..., n, n], in the dtype of `x`.
    Layer: none, decomposed into IConcatenationLayer, IElementWiseLayer, ISelectLayer, ITopKLayer and IGatherLayer.
    Raises LayerError for other shapes, and for integers.
    """
    whole = _square(x, "inverse")
    ones = _eye(x, int(whole.shape[-1])).expand(whole.shape)
    return cast(_eliminated(whole, ones).right, x.dtype)


def solve(x: Tensor, other: Operand, *, left: bool = True) -> Tensor:
    """What `x` takes to `other`: the y of ``x @ y == other``, or of ``y @ x == other`` if not `left`.

    x: [..., n, n], floating, of a known n of at most 64. other: [..., n, k], or [n] and [..., n] of a matrix or a batch
    of them. Returns the shape of `other`, in the dtype of `x`.
    Layer: none, decomposed into IConcatenationLayer, IElementWiseLayer, ISelectLayer, ITopKLayer and IGatherLayer.
    Raises LayerError for other shapes, and for integers.
    """
    whole, right = _square(x, "solve"), cast(tensor(other, network_of(x)), "float32")
    if right.ndim == 1 or (right.ndim == x.ndim - 1 and right.shape == x.shape[:-1]):
        return getitem(solve(x, unsqueeze(right, -1)), (..., 0))
    if not left:
        return solve(x.mT, right.mT).mT
    return cast(_eliminated(whole, right).right, x.dtype)


def det(x: Tensor) -> Tensor:
    """The determinants of matrices, by elimination with the largest pivots.

    x: [..., n, n], floating, of a known n of at most 64. Returns [...], in the dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer, ISelectLayer, ITopKLayer and IGatherLayer.
    Raises LayerError for other shapes, and for integers.
    """
    found = _eliminated(_square(x, "det"), None)
    result = found.pivots[0]
    for factor in (*found.pivots[1:], *found.signs):
        result = mul(result, factor)
    return cast(result, x.dtype)


def slogdet(x: Tensor) -> Determinant:
    """The sign of the determinant of matrices, and the logarithm of its size, which is -inf for a singular one.

    x: [..., n, n], floating, of a known n of at most 64. Returns (sign, logabsdet), both [...], in the dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer, ISelectLayer, ITopKLayer, IGatherLayer and IUnaryLayer LOG.
    Raises LayerError for other shapes, and for integers.
    """
    found = _eliminated(_square(x, "slogdet"), None)
    sign, total = ones_like(found.pivots[0]), zeros_like(found.pivots[0])
    for pivot, swapped in zip(found.pivots, found.signs, strict=True):
        one = where(gt(pivot, 0), 1.0, where(eq(pivot, 0), 0.0, -1.0))
        sign, total = mul(mul(sign, one), swapped), total + log(abs(pivot))
    return Determinant(cast(sign, x.dtype), cast(total, x.dtype))


def logdet(x: Tensor) -> Tensor:
    """The logarithms of the determinants of matrices: NaN for one below 0, -inf for 0.

    x: [..., n, n], floating, of a known n of at most 64. Returns [...], in the dtype of `x`.
    Layer: none, decomposed into IElementWiseLayer, ISelectLayer, ITopKLayer, IGatherLayer and IUnaryLayer LOG.
    Raises LayerError for other shapes, and for integers.
    """
    sign, size = slogdet(x)
    return where(sign < 0, float("nan"), size)


def cholesky(x: Tensor, upper: bool = False) -> Tensor:
    """The lower triangular L of ``L @ L.mT == x``, or its transpose; NaN for a matrix that is not positive definite.

    x: [..., n, n], floating, symmetric, of a known n of at most 64. Returns [..., n, n], in the dtype of `x`.
    Layer: none, decomposed into IConcatenationLayer, IElementWiseLayer, ISelectLayer, IReduceLayer SUM and IUnaryLayer.
    Raises LayerError for other shapes, and for integers.
    """
    whole = _square(x, "cholesky")
    size = int(whole.shape[-1])
    rows, columns = arange(size, network=x.network), list[Tensor]()
    for k in range(size):
        column = getitem(whole, (..., slice(k, k + 1)))
        if columns:
            before = cat(columns, -1)
            column = sub(column, sum(mul(before, getitem(before, (..., slice(k, k + 1), slice(None)))), -1, True))
        pivot = sqrt(getitem(column, (..., slice(k, k + 1), slice(None))))
        columns.append(where(unsqueeze(ge(rows, k), -1), div(column, pivot), 0.0))
    found = cast(cat(columns, -1), x.dtype)
    return found.mT if upper else found


def solve_triangular(
    x: Tensor, other: Operand, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """The y of ``x @ y == other``, or of ``y @ x == other`` if not `left`, of a triangular `x`.

    x: [..., n, n], floating, of a known n of at most 64; its other triangle is not read, nor its diagonal where it is
    unitriangular. other: [..., n, k]. Returns the broadcast shape, in the dtype of `x`.
    Layer: none, decomposed into ISliceLayer, ISelectLayer and IElementWiseLayer.
    Raises LayerError for other shapes, and for integers.
    """
    whole, right = _square(x, "solve_triangular"), cast(tensor(other, network_of(x)), "float32")
    if not left:
        return solve_triangular(x.mT, right.mT, upper=not upper, unitriangular=unitriangular).mT
    size = int(whole.shape[-1])
    rows = unsqueeze(arange(size, network=x.network), -1)
    for k in reversed(range(size)) if upper else range(size):
        row = getitem(right, (..., slice(k, k + 1), slice(None)))
        column = getitem(whole, (..., slice(k, k + 1)))
        if not unitriangular:
            row = div(row, getitem(column, (..., slice(k, k + 1), slice(None))))
        after = sub(right, mul(where(gt(k, rows) if upper else gt(rows, k), column, 0.0), row))
        right = where(eq(rows, k), row, after)
    return cast(right, x.dtype)


def matrix_power(x: Tensor, n: int) -> Tensor:
    """The product of `n` times the same matrix; of its inverse for a negative `n`.

    x: [..., m, m], floating. Returns [..., m, m], in the dtype of `x`.
    Layer: IMatrixMultiplyLayer; for a negative `n` also those of inverse.
    Raises LayerError for matrices that are not square, and for integers.
    """
    if n < 0:
        return matrix_power(inverse(x), -n)
    if n == 0:
        return cast(_eye(x, int(_square(x, "matrix_power").shape[-1])), x.dtype).expand(x.shape)
    half = matrix_power(x, n // 2) if n > 1 else None
    square = None if half is None else matmul(half, half)
    return x if square is None else matmul(square, x) if n % 2 else square


def _eye(x: Tensor, size: int) -> Tensor:
    return tensor(np.eye(size, dtype=np.float32), x.network)


def _square(x: Tensor, name: str) -> Tensor:
    """The matrices in float32."""
    size = x.shape[-1] if x.ndim > 1 else None
    if not isinstance(size, int) or x.shape[-2] != size or not 0 < size <= MOST or not x.dtype.is_floating:
        text = f"{name} takes floating matrices [..., n, n] of a known n of at most {MOST}"
        x.network.fail(f"{text}, found {x.dtype} [{', '.join(map(str, x.shape))}]", {"x": x})
    return cast(x, "float32")


def _eliminated(x: Tensor, right: Tensor | None) -> _Solved:
    """Gauss and Jordan's elimination: of each column, the row with the largest number is subtracted from the others."""
    size = int(x.shape[-1])
    if right is not None:
        shape = (*_front(x, right), *right.shape[-2:])
        x, right = x.expand((*shape[:-2], size, size)), right.expand(shape)
    whole = x if right is None else cat([x, right], -1)
    rows, pivots, signs = arange(size, network=x.network), [], []
    for k in range(size):
        column = getitem(whole, (..., k))
        place = argmax(where(ge(rows, k), abs(column), -1.0), -1, True)
        row = take_along_dim(whole, unsqueeze(place, -1), -2)
        own = getitem(whole, (..., slice(k, k + 1), slice(None)))
        whole = where(unsqueeze(eq(rows, place), -1), own, whole)
        pivot = getitem(row, (..., slice(k, k + 1)))
        pivots.append(getitem(pivot, (..., 0, 0)))
        signs.append(where(eq(getitem(place, (..., 0)), k), 1.0, -1.0))
        row = div(row, pivot)
        others = sub(whole, mul(getitem(whole, (..., slice(k, k + 1))), row))
        whole = where(unsqueeze(eq(rows, k), -1), row, others)
    return _Solved(getitem(whole, (..., slice(size, None))), pivots, signs)


def _front(x: Tensor, right: Tensor) -> tuple[Any, ...]:
    """The batch axes of both, broadcast."""
    a, b = x.shape[:-2], right.shape[:-2]
    ndim = max(len(a), len(b))
    a, b = ((*(1,) * (ndim - len(each)), *each) for each in (a, b))
    return tuple(two if one == 1 and isinstance(one, int) else one for one, two in zip(a, b, strict=True))
