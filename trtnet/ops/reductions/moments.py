"""Variances and norms, with torch's names and arguments."""

from __future__ import annotations

import math

from trtnet.graph import Tensor
from trtnet.graph.sizes.dim import largest, numel
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.elementwise.comparison import eq, ne, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast, floating
from trtnet.ops.elementwise.powers import pow
from trtnet.ops.elementwise.unary_functions import abs, exp, log, sqrt
from trtnet.ops.reductions.reduce import Axes, amax, amin, axes_of, mean, of_floats, sum
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike


def var(
    x: Tensor, dim: Axes | bool = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The variance over `dim`, divided by ``n - correction``; computed in float32 from the centred values.

    x: any shape, floating. unbiased: torch's older spelling, True for a correction of 1, False for 0; it may stand in
    the place of `dim`. Returns [...] without those axes (of size 1 with keepdim), in the dtype of `x`.
    Layer: none, decomposed into IReduceLayer AVG and SUM, and IElementWiseLayer.
    Raises LayerError for integers and bools, and for an axis out of range.
    Source: torch.var's documentation.
    """
    return cast(_variance(x, dim, correction, keepdim, unbiased), x.dtype)


def _variance(x: Tensor, dim: Axes | bool, correction: float, keepdim: bool, unbiased: bool | None) -> Tensor:
    along, wanted = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    axes = axes_of(x, along, "var")
    taken = correction if wanted is None else int(wanted)
    wide = cast(of_floats(x, "var"), dtypes.float32)
    centred = sub(wide, mean(wide, axes, keepdim=True)) if axes else sub(wide, wide)
    count = numel(tuple(x.shape[a] for a in axes))
    over = largest(count - taken, 0) if isinstance(taken, int) else count - taken
    squares = sum(mul(centred, centred), axes, keepdim)
    return mul(squares, 1.0 / over) if isinstance(over, int | float) and over > 0 else div(squares, over)


def std(
    x: Tensor, dim: Axes | bool = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The standard deviation over `dim`, the square root of the variance with ``n - correction``; computed in float32.

    x: any shape, floating. Arguments as in var. Returns [...] without those axes (of size 1 with keepdim), in the dtype
    of `x`.
    Layer: none, decomposed into IReduceLayer AVG and SUM, IElementWiseLayer and IUnaryLayer SQRT.
    Raises LayerError for integers and bools, and for an axis out of range.
    Source: torch.std's documentation.
    """
    return cast(sqrt(_variance(x, dim, correction, keepdim, unbiased)), x.dtype)


def var_mean(
    x: Tensor, dim: Axes = None, correction: float = 1, keepdim: bool = False, unbiased: bool | None = None
) -> tuple[Tensor, Tensor]:
    """The variance and the mean over `dim`, as var and mean compute them.

    x: any shape, floating. Arguments as in var. Returns (variance, mean), both [...] without those axes (of size 1 with
    keepdim), in the dtype of `x`.
    Layer: none, decomposed into IReduceLayer AVG and SUM, and IElementWiseLayer.
    Raises LayerError for integers and bools, and for an axis out of range.
    Source: torch.var_mean's documentation.
    """
    return var(x, dim, correction, keepdim, unbiased), mean(x, dim, keepdim)


def norm(
    x: Tensor, p: float | str | None = "fro", dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None
) -> Tensor:
    """The vector p-norm ``sum(abs(x) ** p) ** (1 / p)`` over `dim`, computed in float32.

    x: any shape, floating. p: a number, which may be infinite; "fro" and None are 2; 0 counts the elements that are not
    0. dtype: what `x` is cast to first. Returns [...] without those axes (of size 1 with keepdim), in the dtype of `x`
    or in `dtype`.
    Layer: none, decomposed into IUnaryLayer ABS, IElementWiseLayer POW or PROD, and IReduceLayer.
    Raises LayerError for the nuclear norm, and for integers.
    Source: torch.linalg.vector_norm's documentation.
    """
    given = of_floats(x if dtype is None else cast(x, dtype), "norm")
    if isinstance(p, str) and p != "fro":
        given.network.fail(
            f"norm takes a number or 'fro', found {p!r}: TensorRT does not compute singular values", {"x": x}
        )
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
    """``log(sum(exp(x)))`` over `dim`, computed in float32 from ``x - max``, without overflow.

    x: any shape, floating; integers become float32. Returns [...] without those axes (of size 1 with keepdim), in that
    floating dtype.
    Layer: none, decomposed into IReduceLayer MAX and SUM, IUnaryLayer EXP and LOG, and IElementWiseLayer.
    Raises LayerError for an axis out of range.
    Source: torch.logsumexp's documentation.
    """
    given = floating(x)
    wide = cast(given, dtypes.float32)
    most = amax(wide, dim, keepdim=True)
    shift = where(eq(abs(most), math.inf), 0.0, most)
    total = add(log(sum(exp(sub(wide, shift)), dim, keepdim=True)), shift)
    return cast(total if keepdim else total.squeeze(axes_of(given, dim, "logsumexp")), given.dtype)
