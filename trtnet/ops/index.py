"""``x[...]`` with torch's indexing: ints, slices with steps, None, Ellipsis, Dims, and integers of one tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet import dtypes
from trtnet.graph import Dim, Size, Tensor
from trtnet.graph.dim import largest, smallest
from trtnet.graph.operators import Index
from trtnet.ops.elementwise import add, lt, where
from trtnet.ops.gather import take
from trtnet.ops.operands import tensor
from trtnet.ops.slicing import Cut, cut


def getitem(x: Tensor, index: Index | tuple[Index, ...]) -> Tensor:
    """Part of `x`; an int removes its axis, None adds one. Steps are positive, as in torch.

    One item may be a tensor, an array or a list of integers: its axes stand where the axis was that it chooses from.
    Whether a tensor's integers are in range is not checked.
    Layers: one ISliceLayer for all axes that are cut, one IShuffleLayer for axes removed or added; IGatherLayer.
    Raises LayerError for an index out of range, a step below 1, too many indices, or an index of another type.
    """
    items = _full(x, index if isinstance(index, tuple) else (index,))
    chosen = [i for i, item in enumerate(items) if _chooses(item)]
    return _chosen(x, items, chosen) if chosen else _basic(x, items)


def _chosen(x: Tensor, items: list[Any], chosen: list[int]) -> Tensor:
    """The elements that one tensor of integers says, of what the other items leave."""
    if len(chosen) > 1:
        x.network.fail(
            f"an index has at most one tensor, found {len(chosen)}; flatten the axes, or use gather", {"x": x}
        )
    at = chosen[0]
    size = x.shape[sum(item is not None for item in items[:at])]
    places = _places(x, items[at], size)
    rest = _basic(x, [*items[:at], slice(None), *items[at + 1 :]])
    return take(rest, places, sum(not _is_int(item) for item in items[:at]))


def _chooses(item: Any) -> bool:
    """Whether an item is a tensor of integers in one of their forms."""
    return isinstance(item, Tensor | np.ndarray) or (isinstance(item, list) and all(map(_is_int, item)))


def _places(x: Tensor, item: Any, size: Size) -> Tensor:
    """Indices counted from the front."""
    known = item if isinstance(item, Tensor) else np.asarray(item)
    kind = dtypes.get(known.dtype)
    if kind in (dtypes.bool_, dtypes.uint8):
        text = f"a mask of {kind} would choose a number of elements that is not known; use where or masked_fill"
        x.network.fail(text, {"x": x, "index": item})
    if kind.is_floating:
        x.network.fail(f"a tensor that is an index has integers, found {kind}", {"x": x, "index": item})
    if isinstance(known, Tensor):
        return where(lt(known, 0), add(known, size), known)
    if isinstance(size, int) and ((known < -size) | (known >= size)).any():
        x.network.fail(f"index {known.tolist()} is out of range for a dimension of size {size}", {"x": x})
    if isinstance(size, int):
        return tensor(np.where(known < 0, known + size, known), x.network, dtypes.int64)
    return _places(x, tensor(known, x.network, dtypes.int64), size) if (known < 0).any() else tensor(known, x.network)


def _basic(x: Tensor, items: list[Any]) -> Tensor:
    cuts: dict[int, Cut] = {}
    shape: list[Size] = []
    along = 0
    for item in items:
        if item is None:
            shape.append(1)
            continue
        taken = _taken(x, along, item)
        if taken is not None:
            cuts[along] = taken
        if not _is_int(item):
            shape.append(x.shape[along] if taken is None else taken.size)
        along += 1
    return cut(x, cuts).reshape(tuple(shape))


def _full(x: Tensor, items: tuple[Any, ...]) -> list[Any]:
    """The index with Ellipsis written out, an item for every axis."""
    taken = sum(item is not None and item is not Ellipsis for item in items)
    if taken > x.ndim:
        x.network.fail(f"too many indices: {taken} for {x.ndim} dimensions", {"x": x})
    ellipses = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(ellipses) > 1:
        x.network.fail("an index has at most one Ellipsis", {"x": x})
    rest = [slice(None)] * (x.ndim - taken)
    at = ellipses[0] if ellipses else len(items)
    return [*items[:at], *rest, *items[at + 1 :]]


def _is_int(item: Any) -> bool:
    return isinstance(item, int | np.integer | Dim) and not isinstance(item, bool)


def _taken(x: Tensor, along: int, item: Any) -> Cut | None:
    """What `item` takes of an axis, None for all of it."""
    size = x.shape[along]
    if _is_int(item):
        return Cut(_position(x, along, item), 1)
    if not isinstance(item, slice):
        found = f"{type(item).__name__}"
        x.network.fail(f"an index is an int, a slice, None, Ellipsis or a tensor of integers, found {found}", {"x": x})
    step = 1 if item.step is None else item.step
    if step < 1:
        x.network.fail(f"slice step must be positive, found {step}; ops.flip goes backwards", {"x": x})
    start = 0 if item.start is None else _bound(size, item.start)
    stop = size if item.stop is None else _bound(size, item.stop)
    length = stop if start == 0 else largest(stop - start, 0)
    taken = Cut(start, length if step == 1 else (length + (step - 1)) // step, step)
    return None if taken == Cut(0, size) else taken


def _position(x: Tensor, along: int, item: int | Dim) -> Size:
    size = x.shape[along]
    if isinstance(item, Dim):
        return item
    if isinstance(size, int) and not -size <= item < size:
        x.network.fail(f"index {item} is out of range for dimension {along} of size {size}", {"x": x})
    return size + int(item) if item < 0 else int(item)


def _bound(size: Size, bound: int | Dim) -> Size:
    """A slice's bound, counted from the front and kept within the axis, as Python does."""
    if isinstance(bound, int) and bound < 0:
        return largest(size + bound, 0)
    return smallest(bound, size)
