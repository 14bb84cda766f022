"""Reductions, with torch's names; ``dim`` is one axis, several, or None for all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Dim, Shape, Tensor
from trtnet.graph.sizes.dim import largest, numel
from trtnet.graph.tensors.tensor import Operand
from trtnet.ops.arguments.operands import axes_mask, axis, network_of, tensor
from trtnet.ops.elementwise.basic import (
    abs,
    add,
    cast,
    eq,
    exp,
    floating,
    log,
    maximum,
    minimum,
    mul,
    ne,
    no_uint8,
    sqrt,
    sub,
    where,
)
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.powers import pow
from trtnet.ops.reductions.sort import Ordered, topk
from trtnet.ops.shapes.shape import expand
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.dtypes import DTypeLike

Axes = int | Sequence[int] | None


def sum(x: Operand, dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """The sum; of integers and bools int64. dtype: to cast to first. Layer: IReduceLayer SUM."""
    return _reduce(accumulated(x, dtype), "SUM", dim, keepdim)


def accumulated(x: Operand, dtype: DTypeLike | None) -> Tensor:
    """What sums and products are taken of: `x` in `dtype`, by default integers and bools as int64."""
    given = tensor(x, network_of(x))
    default = given.dtype if given.dtype.is_floating else dtypes.int64
    return cast(given, default if dtype is None else dtype)


def mean(x: Operand, dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """The mean of a floating tensor. dtype: to cast to first. Layer: IReduceLayer AVG.

    Raises LayerError for integers and bools without a dtype, as torch does.
    """
    given = tensor(x, network_of(x))
    wide = given if dtype is None else cast(given, dtype)
    return _reduce(_of_floats(wide, "mean"), "AVG", dim, keepdim)


def prod(x: Operand, dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """The product; of integers and bools int64. dtype: to cast to first. Layer: IReduceLayer PROD."""
    return _reduce(accumulated(x, dtype), "PROD", dim, keepdim)


def amax(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The largest; of bools, whether any is true. Layer: IReduceLayer MAX."""
    return _extreme_value(x, "MAX", dim, keepdim)


def amin(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The smallest; of bools, whether all are true. Layer: IReduceLayer MIN."""
    return _extreme_value(x, "MIN", dim, keepdim)


def var(
    x: Tensor, dim: Axes | bool = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The variance over ``n - correction``, computed in float32 from the centred values.

    unbiased: torch's older spelling, True for a correction of 1, False for 0; it may stand in the place of `dim`.
    Raises LayerError for integers and bools.
    """
    return cast(_variance(x, dim, correction, keepdim, unbiased), x.dtype)


def _variance(x: Tensor, dim: Axes | bool, correction: float, keepdim: bool, unbiased: bool | None) -> Tensor:
    along, wanted = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    axes = _axes(x, along, "var")
    taken = correction if wanted is None else int(wanted)
    wide = cast(_of_floats(x, "var"), dtypes.float32)
    centred = sub(wide, mean(wide, axes, keepdim=True)) if axes else sub(wide, wide)
    count = numel(tuple(x.shape[a] for a in axes))
    over = largest(count - taken, 0) if isinstance(taken, int) else count - taken
    squares = sum(mul(centred, centred), axes, keepdim)
    return mul(squares, 1.0 / over) if isinstance(over, int | float) and over > 0 else div(squares, over)


def std(
    x: Tensor, dim: Axes | bool = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The square root of the variance."""
    return cast(sqrt(_variance(x, dim, correction, keepdim, unbiased)), x.dtype)


def var_mean(
    x: Tensor, dim: Axes = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> tuple[Tensor, Tensor]:
    """(variance, mean)."""
    return var(x, dim, correction, keepdim, unbiased), mean(x, dim, keepdim)


def norm(
    x: Tensor, p: float | str | None = "fro", dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None
) -> Tensor:
    """The p-norm ``sum(abs(x) ** p) ** (1 / p)`` in float32, of the elements. torch.linalg.vector_norm.

    p: "fro" and None are 2; 0 counts what is not 0; it may be infinite. dtype: to cast to first.
    Raises LayerError for the nuclear norm, and for integers.
    """
    given = _of_floats(x if dtype is None else cast(x, dtype), "norm")
    if isinstance(p, str) and p != "fro":
        given.network.fail(f"norm takes a number or 'fro', found {p!r}: TensorRT has no singular values", {"x": x})
    power, wide = (2.0 if p is None or isinstance(p, str) else p), abs(cast(given, dtypes.float32))
    return cast(_norm(wide, power, dim, keepdim), given.dtype)


def _norm(x: Tensor, p: float, dim: Axes, keepdim: bool) -> Tensor:
    if math.isinf(p):
        return (amax if p > 0 else amin)(x, dim, keepdim)
    if p == 0:
        return sum(cast(ne(x, 0.0), x.dtype), dim, keepdim)
    if p == 1:
        return sum(x, dim, keepdim)
    total = sum(pow(x, float(p)), dim, keepdim)
    return sqrt(total) if p == 2 else pow(total, 1 / p)


def logsumexp(x: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) along `dim`, computed from ``x - max`` in float32, where that is finite."""
    given = floating(x)
    wide = cast(given, dtypes.float32)
    most = amax(wide, dim, keepdim=True)
    shift = where(eq(abs(most), math.inf), 0.0, most)
    total = add(log(sum(exp(sub(wide, shift)), dim, keepdim=True)), shift)
    return cast(total if keepdim else total.squeeze(_axes(given, dim, "logsumexp")), given.dtype)


def any(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether an element is not 0, bool. Raises LayerError for uint8, whose result is uint8 in torch."""
    return amax(_truth(x, "any"), dim, keepdim)


def all(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """Whether no element is 0, bool. Raises LayerError for uint8, whose result is uint8 in torch."""
    return amin(_truth(x, "all"), dim, keepdim)


def _truth(x: Operand, name: str) -> Tensor:
    given = tensor(x, network_of(x))
    no_uint8(name, given.dtype, given.network, x=given)
    return cast(given, dtypes.bool_)


def count_nonzero(x: Operand, dim: Axes = None) -> Tensor:
    """How many elements are not 0, int64."""
    return sum(cast(x, dtypes.bool_), dim)


def max(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | Ordered:
    """The largest element; with `dim`, (values, int64 indices) along it; with a tensor for it, the larger of each."""
    if not _is_axis(dim):
        return maximum(x, dim)
    return amax(x) if dim is None else _extreme(x, "MAX", dim, keepdim)


def min(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | Ordered:
    """The smallest element; with `dim`, (values, int64 indices) along it; with a tensor for it, the smaller of each."""
    if not _is_axis(dim):
        return minimum(x, dim)
    return amin(x) if dim is None else _extreme(x, "MIN", dim, keepdim)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The int64 index of the largest along `dim`, by default among all elements in a row. Layer: ITopKLayer."""
    return _place(x, "MAX", dim, keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The int64 index of the smallest along `dim`, by default among all elements in a row. Layer: ITopKLayer."""
    return _place(x, "MIN", dim, keepdim)


def _is_axis(dim: Any) -> bool:
    return dim is None or isinstance(dim, int | np.integer)


def _place(x: Tensor, kind: str, dim: int | None, keepdim: bool) -> Tensor:
    if x.dtype == dtypes.bool_:
        x.network.fail(f"arg{kind.lower()} does not take bool", {"x": x})
    if dim is not None:
        return _extreme(x, kind, dim, keepdim).indices
    index = _extreme(x.flatten(), kind, 0, False).indices
    return index.reshape((1,) * x.ndim) if keepdim else index


def _extreme(x: Tensor, kind: str, dim: int, keepdim: bool) -> Ordered:
    name = f"arg{kind.lower()}"
    along, inside = axis(x, dim, name), _compared(x, name)
    values, indices = topk(cast(x, inside), 1, along, largest=kind == "MAX")
    values = cast(values, x.dtype)
    return Ordered(values, indices) if keepdim else Ordered(values.squeeze(along), indices.squeeze(along))


def _compared(x: Tensor, name: str) -> dtypes.DType:
    """The dtype that values are compared in: bools and int8 as int32. Raises LayerError for uint8."""
    no_uint8(name, x.dtype, x.network, x=x)
    return dtypes.int32 if x.dtype in (dtypes.bool_, dtypes.int8) else x.dtype


def _of_floats(x: Tensor, name: str) -> Tensor:
    given = tensor(x, network_of(x))
    if not given.dtype.is_floating:
        given.network.fail(f"{name} takes a floating tensor, found {given.dtype}; give dtype= or cast it", {"x": given})
    return given


def _extreme_value(x: Operand, kind: str, dim: Axes, keepdim: bool) -> Tensor:
    given = tensor(x, network_of(x))
    inside = _compared(given, f"a{kind.lower()}")
    return cast(_reduce(cast(given, inside), kind, dim, keepdim), given.dtype)


OF_NOTHING: dict[str, float] = {"SUM": 0, "PROD": 1, "AVG": math.nan}
"""What torch gives for no elements; there is no largest of them."""


def _reduce(x: Tensor, kind: str, dim: Axes, keepdim: bool) -> Tensor:
    name = {"AVG": "mean", "MAX": "amax", "MIN": "amin"}.get(kind, kind.lower())
    axes = _axes(x, dim, name)
    shape = _reduced(x, axes, keepdim)
    if not x.ndim:
        return x
    if 0 in [x.shape[a] for a in axes]:
        return _of_nothing(x, kind, name, shape)
    operation = getattr(trt.ReduceOperation, kind)
    arguments = {"input": x, "op": operation, "axes": axes_mask(axes), "keep_dims": keepdim}
    (y,) = x.network.add("reduce", arguments, name=name, hint=f"{name} does not take {x.dtype}", dims=[shape])
    return y


def _of_nothing(x: Tensor, kind: str, name: str, shape: Shape) -> Tensor:
    if kind not in OF_NOTHING:
        x.network.fail(f"{name} of no elements has no value", {"x": x})
    return expand(tensor(OF_NOTHING[kind], x.network, x.dtype, len(shape)), shape)


def _axes(x: Tensor, dim: Axes, operation: str) -> tuple[int, ...]:
    """The axes from the front; all for None and for none, as in torch."""
    given = [] if dim is None else [dim] if isinstance(dim, int | np.integer | Dim) else list(dim)
    if not x.ndim and set(given) <= {-1, 0}:
        return ()
    found = tuple(axis(x, int(d), operation) for d in given) or tuple(range(x.ndim))
    if len(set(found)) < len(found):
        x.network.fail(f"{operation} got an axis twice: dim={dim}", {"x": x})
    return found


def _reduced(x: Tensor, axes: tuple[int, ...], keepdim: bool) -> Shape:
    sizes = [1 if a in axes else size for a, size in enumerate(x.shape)]
    return tuple(size for a, size in enumerate(sizes) if keepdim or a not in axes)
