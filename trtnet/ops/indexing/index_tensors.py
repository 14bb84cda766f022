"""Indices that are tensors: integers, which are broadcast and choose together, and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from trtnet.graph import Dim, Parameter, Size, Tensor
from trtnet.graph.shapes import size_tensor
from trtnet.graph.sizes.dim import is_static, numel, static
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.elementwise.comparison import lt, where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.images.detection import nonzero
from trtnet.ops.indexing.gather import take
from trtnet.ops.shapes.shape import reshape, shuffle
from trtnet.support import dtypes

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Places:
    """An index tensor, of the network or known now. axes: how many axes of the indexed tensor it takes."""

    values: Tensor | Array
    axes: int = 1

    @classmethod
    def of(cls, x: Tensor, item: Any) -> Places | None:
        """The index tensor that an item is; None for one of another kind.

        Raises LayerError for a tensor that is not an index.
        """
        if item is None or item is Ellipsis or isinstance(item, slice | int | np.integer | Dim | str | float):
            return None
        values = _values(x, item)
        kind = dtypes.get(values.dtype)
        if kind.is_floating:
            x.network.fail(f"a tensor that is an index has integers or is a mask, found {kind}", {"x": x})
        if kind not in (dtypes.bool_, dtypes.uint8):
            return cls(values)
        if values.ndim == 0:
            x.network.fail("a single bool as an index: use x[None], and where or cond", {"x": x})
        return cls(cast(values, "bool") if isinstance(values, Tensor) else values != 0, values.ndim)

    @property
    def ndim(self) -> int:
        """Of the values."""
        return self.values.ndim

    def split(self, x: Tensor, along: int) -> list[Places]:
        """Integers for each axis it takes, from axis `along` of `x`: a mask has several."""
        if dtypes.get(self.values.dtype) != dtypes.bool_:
            return [self]
        sizes = x.shape[along : along + self.axes]
        known = tuple(self.values.shape)
        if known != sizes and (isinstance(self.values, np.ndarray) or (is_static(known) and is_static(sizes))):
            text = f"a mask of shape {list(known)} for axes of sizes {list(map(str, sizes))}"
            x.network.fail(text, {"x": x})
        if isinstance(self.values, np.ndarray):
            return [Places(axis) for axis in np.nonzero(self.values)]
        found = nonzero(self.values)
        return [Places(take(found, tensor(np.array(a), found.network), 1)) for a in range(self.axes)]


def _values(x: Tensor, item: Any) -> Tensor | Array:
    if isinstance(item, Tensor):
        return item
    if isinstance(item, Parameter):
        return tensor(item, x.network)
    try:
        found = np.asarray(item)
    except (TypeError, ValueError):
        found = np.asarray(None)
    if found.dtype.kind not in "biuf":
        kind = type(item).__name__
        x.network.fail(f"an index is an int, a slice, None, Ellipsis or a tensor of integers, found {kind}", {"x": x})
    return found.astype(np.int64) if found.size == 0 else found


def is_tensor(item: Any) -> TypeGuard[Places]:
    """Whether an item of an index is a tensor."""
    return isinstance(item, Places)


def places_of(x: Tensor, places: Places, size: Size) -> Tensor:
    """An index tensor's integers, counted from the front, along an axis of `size` of `x`."""
    found = _counted(x, places, size)
    return found if isinstance(found, Tensor) else tensor(found, x.network)


def _counted(x: Tensor, places: Places, size: Size) -> Tensor | Array:
    """Indices counted from the front; known ones are checked."""
    known = places.values
    if isinstance(known, Tensor):
        return where(lt(known, 0), add(known, _number(known, size)), known)
    if isinstance(size, int) and ((known < -size) | (known >= size)).any():
        x.network.fail(f"index {known.tolist()} is out of range for a dimension of size {size}", {"x": x})
    known = known.astype(np.int64)
    if isinstance(size, int):
        return np.where(known < 0, known + size, known)
    if not (known < 0).any():
        return known
    negative = tensor((known < 0).astype(np.int64), x.network)
    return add(tensor(known, x.network), mul(negative, _number(negative, size)))


def chosen(x: Tensor, places: Mapping[int, Places]) -> Tensor:
    """The elements that index tensors choose, each along its axis of `x`."""
    if len(places) == 1:
        ((along, only),) = places.items()
        return take(x, places_of(x, only, x.shape[along]), along)
    rows, at = joined(x, tuple(places))
    return take(rows, together(x, places), at)


def joined(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, int]:
    """(`x` with the axes, in order, as one, where that is): in their place, or in front if they are not adjacent."""
    at = axes[0] if axes == tuple(range(axes[0], axes[0] + len(axes))) else 0
    others = [a for a in range(x.ndim) if a not in axes]
    order = (*others[:at], *axes, *others[at:])
    sizes = tuple(x.shape[a] for a in axes)
    shape = (*(x.shape[a] for a in others[:at]), numel(sizes), *(x.shape[a] for a in others[at:]))
    return (reshape(x, shape) if order == tuple(range(x.ndim)) else shuffle(x, before=order, shape=shape)), at


def together(x: Tensor, places: Mapping[int, Places]) -> Tensor:
    """The places along the joined axis that several index tensors say, broadcast."""
    sizes = tuple(x.shape[a] for a in places)
    counted = [_counted(x, item, x.shape[a]) for a, item in places.items()]
    known, fixed = [item for item in counted if isinstance(item, np.ndarray)], static(sizes)
    if len(known) == len(counted) and fixed is not None:
        try:
            flat = np.ravel_multi_index(np.broadcast_arrays(*known), fixed) if known[0].size else _nothing(known)
        except ValueError:
            shapes = " and ".join(str(list(item.shape)) for item in known)
            x.network.fail(f"index tensors of shapes {shapes} do not broadcast", {"x": x})
        return tensor(np.asarray(flat, np.int64), x.network)
    total = _wide(counted[0], x)
    for item, size in zip(counted[1:], sizes[1:], strict=True):
        total = add(mul(total, _number(total, size)), _wide(item, x))
    return total


def _number(beside: Tensor, size: Size) -> Tensor | int:
    """A size to compute with: of rank 0 beside a tensor of rank 0."""
    if isinstance(size, int):
        return size
    return size_tensor(beside.network, size).reshape((1,) * min(beside.ndim, 1))


def _nothing(known: list[Array]) -> Array:
    return np.zeros(np.broadcast_shapes(*(item.shape for item in known)), np.int64)


def _wide(item: Tensor | Array, x: Tensor) -> Tensor:
    return cast(item, "int64") if isinstance(item, Tensor) else tensor(item, x.network)
