"""Reductions, with torch's names; ``dim`` is one axis, several, or None for all.

Those of a few elements are gathers and IElementWiseLayers on TensorRT-RTX: ``trtnet.ops.reductions.small_axes``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trtnet.graph import Dim, Shape, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axes_mask, axis, network_of, tensor
from trtnet.ops.elementwise.layers import cast, no_uint8
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import mean_facts
from trtnet.ops.reductions.small_axes import is_computed_wrong, of_elements
from trtnet.ops.shapes.expansion import expand
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.dtypes import DTypeLike

Axes = int | Sequence[int] | None


def sum(x: Operand, dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """The sum over `dim`, an axis or several, or all of them.

    x: any shape, floating, integer or bool. dtype: what `x` is cast to first. Returns [...] without those axes (of size
    1 with keepdim), in the dtype of `x` or in `dtype`; int64 for integers and bools.
    Layer: IReduceLayer SUM.
    Raises LayerError for an axis out of range, or twice.
    """
    return _reduce(accumulated(x, dtype), "SUM", dim, keepdim)


def accumulated(x: Operand, dtype: DTypeLike | None) -> Tensor:
    """What sums and products are taken of: `x` in `dtype`, by default integers and bools as int64."""
    given = tensor(x, network_of(x))
    default = given.dtype if given.dtype.is_floating else dtypes.int64
    return cast(given, default if dtype is None else dtype)


def mean(x: Operand, dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """The mean over `dim`, an axis or several, or all of them.

    x: any shape, floating. dtype: what `x` is cast to first. Returns [...] without those axes (of size 1 with keepdim),
    in the dtype of `x` or in `dtype`.
    Layer: IReduceLayer AVG; over the pixels of an image there are other forms:
    ``trtnet.ops.forms.images.global_mean``.
    Raises LayerError for integers and bools without a dtype, as torch does, and for an axis out of range.
    """
    given = tensor(x, network_of(x))
    wide = of_floats(given if dtype is None else cast(given, dtype), "mean")
    axes = axes_of(wide, dim, "mean")
    if are_pixels(wide, axes):
        return _global_mean(wide, tuple(sorted(axes)), keepdim)
    return mean_layer(wide, axes, keepdim)


def are_pixels(x: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether `x` is [batch, channels, *sizes], not empty, and the axes are those of its two sizes or more."""
    return x.ndim > 3 and {*axes} == {*range(2, x.ndim)} and 0 not in x.shape


@formulated("global_mean", "reduce", facts=mean_facts)
def _global_mean(x: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    return mean_layer(x, axes, keepdim)


def mean_layer(x: Tensor, axes: tuple[int, ...], keepdim: bool = True) -> Tensor:
    """The mean as one layer. x: floating."""
    return _reduce(x, "AVG", axes, keepdim)


def prod(x: Operand, dim: Axes = None, keepdim: bool = False, dtype: DTypeLike | None = None) -> Tensor:
    """The product over `dim`, an axis or several, or all of them.

    x: any shape, floating, integer or bool. dtype: what `x` is cast to first. Returns [...] without those axes (of size
    1 with keepdim), in the dtype of `x` or in `dtype`; int64 for integers and bools.
    Layer: IReduceLayer PROD.
    Raises LayerError for an axis out of range, or twice.
    """
    return _reduce(accumulated(x, dtype), "PROD", dim, keepdim)


def amax(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The largest element over `dim`, an axis or several, or all of them; for bools, whether any is true.

    x: any shape, floating, integer or bool. Returns [...] without those axes (of size 1 with keepdim), in the dtype of
    `x`.
    Layer: IReduceLayer MAX.
    Raises LayerError for no elements, for uint8, and for an axis out of range.
    """
    return _extreme_value(x, "MAX", dim, keepdim)


def amin(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """The smallest element over `dim`, an axis or several, or all of them; for bools, whether all are true.

    x: any shape, floating, integer or bool. Returns [...] without those axes (of size 1 with keepdim), in the dtype of
    `x`.
    Layer: IReduceLayer MIN.
    Raises LayerError for no elements, for uint8, and for an axis out of range.
    """
    return _extreme_value(x, "MIN", dim, keepdim)


def any(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """True where at least one element over `dim` is not 0.

    x: any shape, floating, integer or bool. Returns [...] without those axes (of size 1 with keepdim), bool.
    Layer: IReduceLayer MAX.
    Raises LayerError for uint8, whose result is uint8 in torch, and for an axis out of range.
    """
    return amax(_truth(x, "any"), dim, keepdim)


def all(x: Operand, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """True where no element over `dim` is 0.

    x: any shape, floating, integer or bool. Returns [...] without those axes (of size 1 with keepdim), bool.
    Layer: IReduceLayer MIN.
    Raises LayerError for uint8, whose result is uint8 in torch, and for an axis out of range.
    """
    return amin(_truth(x, "all"), dim, keepdim)


def _truth(x: Operand, name: str) -> Tensor:
    given = tensor(x, network_of(x))
    no_uint8(name, given.dtype, given.network, x=given)
    return cast(given, dtypes.bool_)


def count_nonzero(x: Operand, dim: Axes = None) -> Tensor:
    """The number of elements over `dim` that are not 0.

    x: any shape, floating, integer or bool. Returns [...] without those axes, int64.
    Layer: IReduceLayer SUM.
    Raises LayerError for an axis out of range.
    """
    return sum(cast(x, dtypes.bool_), dim)


def compared(x: Tensor, name: str) -> dtypes.DType:
    """The dtype that values are compared in: bools and int8 as int32. Raises LayerError for uint8."""
    no_uint8(name, x.dtype, x.network, x=x)
    return dtypes.int32 if x.dtype in (dtypes.bool_, dtypes.int8) else x.dtype


def of_floats(x: Tensor, name: str) -> Tensor:
    given = tensor(x, network_of(x))
    if not given.dtype.is_floating:
        given.network.fail(f"{name} takes a floating tensor, found {given.dtype}; give dtype= or cast it", {"x": given})
    return given


def _extreme_value(x: Operand, kind: str, dim: Axes, keepdim: bool) -> Tensor:
    given = tensor(x, network_of(x))
    inside = compared(given, f"a{kind.lower()}")
    return cast(_reduce(cast(given, inside), kind, dim, keepdim), given.dtype)


OF_NOTHING: dict[str, float] = {"SUM": 0, "PROD": 1, "AVG": math.nan}
"""What torch gives for no elements; there is no largest of them."""


def _reduce(x: Tensor, kind: str, dim: Axes, keepdim: bool) -> Tensor:
    name = {"AVG": "mean", "MAX": "amax", "MIN": "amin"}.get(kind, kind.lower())
    axes = axes_of(x, dim, name)
    shape = _reduced(x, axes, keepdim)
    if not x.ndim:
        return x
    if 0 in [x.shape[a] for a in axes]:
        return _of_nothing(x, kind, name, shape)
    if is_computed_wrong(x, axes):
        return of_elements(x, axes[0], keepdim, kind, name)
    return _layer(x, kind, name, axes, keepdim)


def _layer(x: Tensor, kind: str, name: str, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    operation, shape = getattr(trt.ReduceOperation, kind), _reduced(x, axes, keepdim)
    arguments = {"input": x, "op": operation, "axes": axes_mask(axes), "keep_dims": keepdim}
    (y,) = x.network.add("reduce", arguments, name=name, hint=f"{name} does not take {x.dtype}", dims=[shape])
    return y


def _of_nothing(x: Tensor, kind: str, name: str, shape: Shape) -> Tensor:
    if kind not in OF_NOTHING:
        x.network.fail(f"{name} of no elements has no value", {"x": x})
    return expand(tensor(OF_NOTHING[kind], x.network, x.dtype, len(shape)), shape)


def axes_of(x: Tensor, dim: Axes, operation: str) -> tuple[int, ...]:
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
