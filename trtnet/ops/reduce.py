"""Reductions, with torch's names; ``dim`` is one axis, several, or None for all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trtnet import dtypes
from trtnet.backend import trt
from trtnet.graph import Shape, Tensor
from trtnet.graph.dim import is_static
from trtnet.ops.elementwise import abs, add, cast, exp, log, maximum, minimum, mul, pow, sqrt, sub
from trtnet.ops.operands import axes_mask, axis
from trtnet.ops.sort import Ordered, topk

Axes = int | Sequence[int] | None


def sum(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The sum; of bool, the int64 count. Layer: IReduceLayer SUM."""
    return _reduce(cast(x, "int64") if x.dtype == dtypes.bool_ else x, "SUM", dim, keepdim)


def mean(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The mean of a floating tensor. Layer: IReduceLayer AVG."""
    if not x.dtype.is_floating:
        x.network.fail(f"mean takes a floating tensor, found {x.dtype}", {"x": x})
    return _reduce(x, "AVG", dim, keepdim)


def prod(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The product. Layer: IReduceLayer PROD."""
    return _reduce(x, "PROD", dim, keepdim)


def amax(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The largest. Layer: IReduceLayer MAX."""
    return _reduce(x, "MAX", dim, keepdim)


def amin(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The smallest. Layer: IReduceLayer MIN."""
    return _reduce(x, "MIN", dim, keepdim)


def var(
    x: Tensor, dim: Axes = None, correction: int = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The variance over ``n - correction``, computed in float32 from the centred values; n must be known.

    unbiased: torch's older spelling, True for a correction of 1, False for 0.
    Raises LayerError if a reduced axis is dynamic.
    """
    axes = _axes(x, dim, "var")
    sizes = [x.shape[a] for a in axes]
    if not is_static(tuple(sizes)):
        x.network.fail("var needs the sizes of the axes it reduces", {"x": x})
    count = int(np.prod([int(size) for size in sizes]))
    wide = cast(x, "float32")
    centred = sub(wide, mean(wide, axes, keepdim=True))
    squares = sum(mul(centred, centred), axes, keepdim)
    taken = correction if unbiased is None else int(unbiased)
    return cast(mul(squares, 1.0 / (count - taken)), x.dtype)


def std(
    x: Tensor, dim: Axes = None, correction: int = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The square root of the variance."""
    return sqrt(var(x, dim, correction, keepdim, unbiased))


def var_mean(x: Tensor, dim: Axes = None, correction: int = 1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """(variance, mean)."""
    return var(x, dim, correction, keepdim), mean(x, dim, keepdim)


def norm(x: Tensor, p: float = 2, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The p-norm ``sum(abs(x) ** p) ** (1 / p)`` in float32; p may be infinite. torch.linalg.vector_norm."""
    wide = abs(cast(x, "float32"))
    if math.isinf(p):
        return cast((amax if p > 0 else amin)(wide, dim, keepdim), x.dtype)
    if p == 1:
        return cast(sum(wide, dim, keepdim), x.dtype)
    total = sum(pow(wide, p), dim, keepdim)
    return cast(sqrt(total) if p == 2 else pow(total, 1 / p), x.dtype)


def logsumexp(x: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) along `dim`, computed from ``x - max`` in float32."""
    wide = cast(x, "float32")
    largest = amax(wide, dim, keepdim=True)
    total = add(log(sum(exp(sub(wide, largest)), dim, keepdim=True)), largest)
    return cast(total if keepdim else total.squeeze(_axes(x, dim, "logsumexp")), x.dtype)


def any(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether an element is not 0, bool."""
    return cast(_reduce(cast(cast(x, "bool"), "int32"), "MAX", dim, keepdim), "bool")


def all(x: Tensor, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether no element is 0, bool."""
    return cast(_reduce(cast(cast(x, "bool"), "int32"), "MIN", dim, keepdim), "bool")


def count_nonzero(x: Tensor, dim: Axes = None) -> Tensor:
    """How many elements are not 0, int64."""
    return sum(cast(x, "bool"), dim)


def max(x: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Tensor | Ordered:
    """The largest element; with `dim`, (values, int64 indices) along it; with a tensor for it, the larger of each."""
    if isinstance(dim, Tensor):
        return maximum(x, dim)
    return amax(x) if dim is None else _extreme(x, "MAX", dim, keepdim)


def min(x: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Tensor | Ordered:
    """The smallest element; with `dim`, (values, int64 indices) along it; with a tensor for it, the smaller of each."""
    if isinstance(dim, Tensor):
        return minimum(x, dim)
    return amin(x) if dim is None else _extreme(x, "MIN", dim, keepdim)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The int64 index of the largest along `dim`, by default among all elements in a row. Layer: ITopKLayer."""
    return _place(x, "MAX", dim, keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The int64 index of the smallest along `dim`, by default among all elements in a row. Layer: ITopKLayer."""
    return _place(x, "MIN", dim, keepdim)


def _place(x: Tensor, kind: str, dim: int | None, keepdim: bool) -> Tensor:
    if dim is not None:
        return _extreme(x, kind, dim, keepdim).indices
    index = _extreme(x.flatten(), kind, 0, False).indices
    return index.reshape((1,) * x.ndim) if keepdim else index


def _extreme(x: Tensor, kind: str, dim: int, keepdim: bool) -> Ordered:
    along = axis(x, dim, f"arg{kind.lower()}")
    values, indices = topk(x, 1, along, largest=kind == "MAX")
    return Ordered(values, indices) if keepdim else Ordered(values.squeeze(along), indices.squeeze(along))


def _reduce(x: Tensor, kind: str, dim: Axes, keepdim: bool) -> Tensor:
    name = {"AVG": "mean"}.get(kind, kind.lower())
    axes = _axes(x, dim, name)
    operation = getattr(trt.ReduceOperation, kind)
    arguments = {"input": x, "op": operation, "axes": axes_mask(axes), "keep_dims": keepdim}
    (y,) = x.network.add(
        "reduce",
        arguments,
        name=name,
        hint=f"{name} does not take {x.dtype}",
        dims=[_reduced(x, axes, keepdim)],
    )
    return y


def _axes(x: Tensor, dim: Axes, operation: str) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(x.ndim))
    return tuple(axis(x, d, operation) for d in ([dim] if isinstance(dim, int) else dim))


def _reduced(x: Tensor, axes: tuple[int, ...], keepdim: bool) -> Shape:
    sizes = [1 if a in axes else size for a, size in enumerate(x.shape)]
    return tuple(size for a, size in enumerate(sizes) if keepdim or a not in axes)
