"""The largest and smallest elements and their positions, with torch's names and arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.arguments.operands import axis
from trtnet.ops.elementwise.arithmetic import maximum, minimum
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.unary_functions import neg
from trtnet.ops.reductions.reduce import amax, amin, compared
from trtnet.ops.reductions.sort import Ordered, topk
from trtnet.support import dtypes


def max(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | Ordered:
    """The largest element; with `dim`, along that axis with its position; with a tensor in its place, maximum.

    x: any shape, floating, integer or bool. Returns a scalar [] in the dtype of `x`; with `dim`, (values in the dtype
    of `x`, indices int64), both [...] without that axis (of size 1 with keepdim).
    Layer: ITopKLayer with `dim`; else IReduceLayer MAX.
    Raises LayerError for no elements, for uint8, and for an axis out of range.
    """
    if not _is_axis(dim):
        return maximum(x, dim)
    return amax(x) if dim is None else _extreme(x, "MAX", dim, keepdim)


def min(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | Ordered:
    """The smallest element; with `dim`, along that axis with its position; with a tensor in its place, minimum.

    x: any shape, floating, integer or bool. Returns a scalar [] in the dtype of `x`; with `dim`, (values in the dtype
    of `x`, indices int64), both [...] without that axis (of size 1 with keepdim).
    Layer: ITopKLayer with `dim`; else IReduceLayer MIN.
    Raises LayerError for no elements, for uint8, and for an axis out of range.
    """
    if not _is_axis(dim):
        return minimum(x, dim)
    return amin(x) if dim is None else _extreme(x, "MIN", dim, keepdim)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the largest element along `dim`, by default in the flattened `x`.

    x: any shape, floating or integer. Returns [...] without that axis (of size 1 with keepdim), int64.
    Layer: ITopKLayer.
    Raises LayerError for bools and uint8, and for an axis out of range.
    """
    return _place(x, "MAX", dim, keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the smallest element along `dim`, by default in the flattened `x`.

    x: any shape, floating or integer. Returns [...] without that axis (of size 1 with keepdim), int64.
    Layer: ITopKLayer.
    Raises LayerError for bools and uint8, and for an axis out of range.
    """
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
    along, inside = axis(x, dim, name), compared(x, name)
    y = cast(x, inside)
    # NaN is the largest for topk, and what torch finds of both kinds
    turned = kind == "MIN" and inside.is_floating
    values, indices = topk(neg(y) if turned else y, 1, along, largest=kind == "MAX" or turned)
    values = cast(neg(values) if turned else values, x.dtype)
    return Ordered(values, indices) if keepdim else Ordered(values.squeeze(along), indices.squeeze(along))
