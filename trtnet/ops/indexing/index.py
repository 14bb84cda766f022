"""``x[...]`` with torch's indexing: ints, slices with steps, None, Ellipsis, Dims, tensors of integers and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet.graph import Dim, Size, Tensor
from trtnet.graph.sizes.bounds import bound, from_front
from trtnet.graph.sizes.dim import largest
from trtnet.graph.tensors.operators import Index
from trtnet.ops.arguments.sizes import is_int, size_of
from trtnet.ops.indexing.gather import take
from trtnet.ops.indexing.index_tensors import Places, chosen, is_tensor, places_of
from trtnet.ops.shapes.shape import view
from trtnet.ops.shapes.slicing import Cut
from trtnet.ops.writes.part import part
from trtnet.support.text.counted import counted


def getitem(x: Tensor, index: Index | tuple[Index, ...]) -> Tensor:
    """Part of `x`, as ``x[index]``: a view for ints and slices, new elements for tensors, as in torch.

    x: any shape and dtype. An int removes its axis, None adds one, slices have positive steps. Integer tensors, arrays
    and lists select elements; several are broadcast and select together. Their axes take the place of those that they
    select from, or come first if these are not adjacent. A mask (bool) selects the positions where it is true: an array
    or list when the network is defined, a tensor where the backend has INonZeroLayer. Tensor indices are not checked at
    run time. Returns the selected shape, ``x[:, 0]`` of [n, m] is [n], in the dtype of `x`.
    Layer: ISliceLayer, one for all axes that are cut; IShuffleLayer for axes removed or added; IGatherLayer for
    tensors.
    Raises LayerError for an index out of range, a step below 1, too many indices, or an index of another type.
    """
    items = parsed(x, index)
    rest = _basic(x, [slice(None) if is_tensor(item) else item for item in items])
    kept = [item for item in items if not is_whole(item)]
    places = {a: item for a, item in enumerate(kept) if is_tensor(item)}
    for a in sorted((a for a, item in places.items() if item.ndim == 0), reverse=True):
        rest = take(rest, places_of(rest, places.pop(a), rest.shape[a]), a)
        places = {b - (b > a): item for b, item in places.items()}
    return chosen(rest, places) if places else rest


def parsed(x: Tensor, index: Any) -> list[Any]:
    """The index as items: None for a new axis, and for each axis of `x` an int, a Dim, a slice, or Places.

    Ellipsis and what is left out are whole slices; each mask is a vector of integers for each of its axes.
    """
    given = index if isinstance(index, tuple) else (index,)
    items = [places if (places := Places.of(x, item)) is not None else item for item in given]
    taken = sum(_axes(item) for item in items)
    if taken > x.ndim:
        x.network.fail(f"too many indices: {taken} for {counted(x.ndim, 'dimension')}", {"x": x})
    ellipses = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(ellipses) > 1:
        x.network.fail("an index has at most one Ellipsis", {"x": x})
    at = ellipses[0] if ellipses else len(items)
    full = [*items[:at], *[slice(None)] * (x.ndim - taken), *items[at + 1 :]]
    found: list[Any] = []
    for item in full:
        along = sum(map(_axes, found))
        found += item.split(x, along) if isinstance(item, Places) else [item]
    return found


def _axes(item: Any) -> int:
    """How many axes an item takes."""
    return item.axes if isinstance(item, Places) else int(item is not None and item is not Ellipsis)


def is_whole(item: Any) -> bool:
    """Whether an item is a position, and its axis goes."""
    return isinstance(item, Dim) or is_int(item)


def cuts_of(x: Tensor, items: Sequence[Any]) -> tuple[dict[int, Cut], tuple[Size, ...]]:
    """(what the items without tensors take of each axis that is not taken whole, the shape that is left)."""
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
        if not is_whole(item):
            shape.append(x.shape[along] if taken is None else taken.size)
        along += 1
    return cuts, tuple(shape)


def _basic(x: Tensor, items: Sequence[Any]) -> Tensor:
    cuts, shape = cuts_of(x, items)
    return view(part(x, cuts), shape)


def _taken(x: Tensor, along: int, item: Any) -> Cut | None:
    """What `item` takes of an axis, None for all of it."""
    size = x.shape[along]
    if is_whole(item):
        return Cut(_position(x, along, item), 1)
    if not isinstance(item, slice):
        found = str(item) if isinstance(item, bool) else type(item).__name__
        x.network.fail(f"an index is an int, a slice, None, Ellipsis or a tensor of integers, found {found}", {"x": x})
    start, stop, step = (
        None if value is None else size_of(x, value, "a slice") for value in (item.start, item.stop, item.step)
    )
    by = 1 if step is None else step
    if isinstance(by, int) and by < 1:
        x.network.fail(f"slice step must be positive, found {by}; ops.flip goes backwards", {"x": x})
    first = 0 if start is None else bound(start, size)
    last = size if stop is None else bound(stop, size)
    length = last if first == 0 else largest(last - first, 0)
    taken = Cut(first, length if by == 1 else (length + (by - 1)) // by, by)
    return None if taken == Cut(0, size) else taken


def _position(x: Tensor, along: int, item: Any) -> Size:
    size = x.shape[along]
    position = item if isinstance(item, Dim) else int(item)
    if isinstance(size, int) and isinstance(position, int) and not -size <= position < size:
        x.network.fail(f"index {position} is out of range for dimension {along} of size {size}", {"x": x})
    return from_front(position, size)
