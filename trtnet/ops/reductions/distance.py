"""Distances between vectors."""

from __future__ import annotations

import math

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import align
from trtnet.ops.elementwise.basic import abs, add, cast, sub
from trtnet.ops.reductions.reduce import amax, norm, sum
from trtnet.ops.shapes.shape import unsqueeze


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last axis; the others broadcast. In float32."""
    a, b = align("pairwise_distance", x1, x2)
    difference = add(sub(cast(a, "float32"), cast(b, "float32")), eps)
    return cast(_length(difference, p, keepdim), a.dtype)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm of every row of x1 [..., n, k] less every row of x2 [..., m, k] -> [..., n, m].

    In float32, of the differences themselves: compute_mode, with which torch trades exactness for speed, says nothing.
    """
    a, b = align("cdist", x1, x2)
    if a.ndim < 2:
        a.network.fail("cdist takes matrices [..., rows, width]", {"x1": x1, "x2": x2})
    difference = sub(unsqueeze(cast(a, "float32"), -2), unsqueeze(cast(b, "float32"), -3))
    return cast(_length(difference, p), a.dtype)


def dist(x: Tensor, other: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm of ``x - other``, of all elements. In float32."""
    a, b = align("dist", x, other)
    difference = sub(cast(a, "float32"), cast(b, "float32"))
    return cast(_length(difference.reshape(-1), p), a.dtype)


def _length(x: Tensor, p: float, keepdim: bool = False) -> Tensor:
    """The p-norm along the last axis."""
    if math.isinf(p):
        return amax(abs(x), -1, keepdim)
    return sum(abs(x), -1, keepdim) if p == 1 else norm(x, p, -1, keepdim)
