"""``x[...]`` with torch's basic indexing: ints, slices with steps, None, Ellipsis, and Dims as bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.backend import supports
from trtnet.graph import Dim, Shape, Size, Tensor
from trtnet.graph.dim import is_static, largest, smallest
from trtnet.graph.shapes import shape_tensor
from trtnet.graph.tensor import Index


@dataclass(frozen=True)
class _Cut:
    """What an index takes of one axis: `size` elements from `start`, every `step`-th."""

    start: Size
    size: Size
    step: int = 1


def getitem(x: Tensor, index: Index | tuple[Index, ...]) -> Tensor:
    """Part of `x`; an int removes its axis, None adds one. Steps are positive, as in torch.

    Layers: one ISliceLayer for all axes that are cut, one IShuffleLayer for axes removed or added.
    Raises LayerError for an index out of range, a step below 1, too many indices, or an index of another type.
    """
    items = _full(x, index if isinstance(index, tuple) else (index,))
    cuts: dict[int, _Cut] = {}
    shape: list[Size] = []
    along = 0
    for item in items:
        if item is None:
            shape.append(1)
            continue
        cut = _cut(x, along, item)
        if cut is not None:
            cuts[along] = cut
        if not _is_int(item):
            shape.append(x.shape[along] if cut is None else cut.size)
        along += 1
    return _sliced(x, cuts).reshape(tuple(shape))


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


def _cut(x: Tensor, along: int, item: Any) -> _Cut | None:
    """What `item` takes of an axis, None for all of it."""
    size = x.shape[along]
    if _is_int(item):
        return _Cut(_position(x, along, item), 1)
    if not isinstance(item, slice):
        found = f"{type(item).__name__}"
        x.network.fail(f"an index is an int, a slice, None or Ellipsis, found {found}", {"x": x})
    step = 1 if item.step is None else item.step
    if step < 1:
        x.network.fail(f"slice step must be positive, found {step}", {"x": x})
    start = 0 if item.start is None else _bound(size, item.start)
    stop = size if item.stop is None else _bound(size, item.stop)
    length = stop if start == 0 else largest(stop - start, 0)
    cut = _Cut(start, length if step == 1 else (length + (step - 1)) // step, step)
    return None if cut == _Cut(0, size) else cut


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


def _sliced(x: Tensor, cuts: dict[int, _Cut]) -> Tensor:
    if not cuts:
        return x
    result = tuple(cuts[a].size if a in cuts else size for a, size in enumerate(x.shape))
    axes = tuple(cuts) if supports("slice_axes") else tuple(range(x.ndim))
    chosen = [cuts.get(a, _Cut(0, x.shape[a])) for a in axes]
    start: Shape = tuple(cut.start for cut in chosen)
    size: Shape = tuple(cut.size for cut in chosen)
    inputs = {i: shape_tensor(x.network, s) for i, s in ((1, start), (2, size)) if not is_static(s)}
    arguments = {"start": _ints(start), "shape": _ints(size), "stride": tuple(cut.step for cut in chosen)}
    attributes = {"axes": axes} if len(axes) < x.ndim else {}
    (y,) = x.network.add("slice", {"input": x, **arguments}, attributes=attributes, inputs=inputs, dims=[result])
    return y


def _ints(shape: Shape) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else 0 for size in shape)
