"""Distances between vectors."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import align
from trtnet.ops.elementwise.arithmetic import add, sub
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import abs
from trtnet.ops.reductions.moments import norm
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.shapes.shape import unsqueeze


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last axis, computed in float32.

    x1, x2: shapes [..., n] that broadcast, floating. Returns [...], or [..., 1] with keepdim, in torch's promoted
    dtype.
    Layer: none, decomposed into IElementWiseLayer, IUnaryLayer ABS and IReduceLayer.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.nn.functional.pairwise_distance's documentation.
    """
    a, b = align("pairwise_distance", x1, x2)
    difference = add(sub(cast(a, "float32"), cast(b, "float32")), eps)
    return cast(_length(difference, p, keepdim), a.dtype)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm of the difference of every row of x1 and every row of x2, computed in float32.

    x1: [..., n, k]. x2: [..., m, k]. Floating. compute_mode is ignored: distances are always computed from the
    differences themselves. Returns [..., n, m], in torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer SUB, IUnaryLayer ABS and IReduceLayer.
    Raises LayerError for fewer than two dimensions.
    Source: torch.cdist's documentation.
    """
    a, b = align("cdist", x1, x2)
    if a.ndim < 2:
        a.network.fail("cdist takes matrices [..., rows, width]", {"x1": x1, "x2": x2})
    difference = sub(unsqueeze(cast(a, "float32"), -2), unsqueeze(cast(b, "float32"), -3))
    return cast(_length(difference, p), a.dtype)


def dist(x: Tensor, other: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm of ``x - other`` over all elements, computed in float32.

    x, other: shapes that broadcast, floating. Returns a scalar [], in torch's promoted dtype.
    Layer: none, decomposed into IElementWiseLayer SUB, IUnaryLayer ABS and IReduceLayer.
    Raises LayerError for shapes that do not broadcast.
    Source: torch.dist's documentation.
    """
    a, b = align("dist", x, other)
    difference = sub(cast(a, "float32"), cast(b, "float32"))
    return cast(_length(difference.reshape(-1), p), a.dtype)


def _length(x: Tensor, p: float, keepdim: bool = False) -> Tensor:
    """The p-norm along the last axis."""
    return sum(abs(x), -1, keepdim) if p == 1 else norm(x, p, -1, keepdim)
