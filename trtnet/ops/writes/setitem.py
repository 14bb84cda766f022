"""``x[...] = y``: writes to a part of a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trtnet.graph import Shape, Tensor
from trtnet.graph.memory.storage import View, chain, lazily, same_part, update
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.comparison import where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.indexing.index import cuts_of, is_whole, parsed
from trtnet.ops.indexing.index_tensors import Places, is_tensor, places_of
from trtnet.ops.shapes.expansion import expand
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.shape import permute, reshape, shuffle, unsqueeze, view
from trtnet.ops.writes.in_place import given, target_of
from trtnet.ops.writes.part import cut_view, scattered_nd
from trtnet.support import dtypes


def setitem(x: Tensor, index: Any, value: Operand) -> None:
    """Writes `value`, broadcast and cast, to the part of `x` that getitem would read: ``x[index] = value``.

    x: any shape and dtype. index: as in getitem; a mask (bool) takes one value for all elements, or one for each.
    value: a tensor of a shape that broadcasts to that of ``x[index]``, or a number. If integers in an index name an
    element twice, one of the values is written. Returns nothing.
    Layer: IConcatenationLayer for slices, IScatterLayer for steps and integer tensors, ISelectLayer for masks.
    Raises LayerError for an index that getitem refuses, and for a value that does not broadcast.
    """
    target = target_of(x)
    items = [
        places if (places := Places.of(target, item)) is not None else item
        for item in (index if isinstance(index, tuple) else (index,))
    ]
    tensors = [item for item in items if is_tensor(item)]
    if not tensors:
        _write(_part(target, parsed(target, tuple(items))), value)
    elif len(tensors) == 1 and _is_mask(tensors[0]):
        _write_masked(target, index, items, value)
    else:
        _write_chosen(target, parsed(target, index), value)


def _is_mask(places: Places) -> bool:
    return places.values.dtype in (np.bool_, dtypes.bool_)


def _part(x: Tensor, items: list[Any]) -> Tensor:
    """The part that ints, slices and None choose, as a view that is not read."""
    cuts, shape = cuts_of(x, items)
    kept = tuple(cuts[a].size if a in cuts else size for a, size in enumerate(x.shape))
    part = lazily(x, kept, cut_view(x, cuts)) if cuts else x
    return part if shape == kept else _reshaped(part, shape)


def _reshaped(x: Tensor, shape: Shape) -> Tensor:
    again = View(
        x,
        lambda base: view(base, shape),
        lambda base, value: shuffle(value, shape=base.shape),
        ("shape", shape),
        whole=True,
    )
    return lazily(x, shape, again)


def _write(part: Tensor, value: Operand) -> None:
    """`value`, broadcast to the shape of a part and cast to its dtype. What is the part itself is there already."""
    if isinstance(value, Tensor) and value.storage is part.storage and chain(part) and same_part(part, value):
        return
    update(part, _broadcast(part, given(part, value, part.ndim), part.shape))


def _broadcast(x: Tensor, value: Tensor, shape: Shape) -> Tensor:
    """`value` in a shape and in the dtype of `x`; leading axes of size 1 that are too many go, as in torch."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = reshape(value, value.shape[1:])
    pairs = list(zip(reversed(value.shape), reversed(shape), strict=False))
    if value.ndim > len(shape) or any(a not in (1, b) and isinstance(a, int) and isinstance(b, int) for a, b in pairs):
        sizes = ", ".join(map(str, shape))
        x.network.fail(f"what is written has a shape that does not broadcast to [{sizes}]", {"x": x, "value": value})
    value = cast(value, x.dtype)
    return value if value.shape == shape else expand(value, shape)


def _write_masked(x: Tensor, index: Any, items: list[Any], value: Operand) -> None:
    """Writes where a mask is true: one value for all of these places by ISelectLayer, else one for each of them."""
    at, mask = next((i, item) for i, item in enumerate(items) if is_tensor(item))
    axes = [slice(None) for _ in range(mask.axes)]
    spread = parsed(x, (*items[:at], *axes, *items[at + 1 :]))
    place = next(i for i, item in enumerate(spread) if item is axes[0])
    axis = sum(not is_whole(item) for item in spread[:place])
    part = _part(x, spread)
    there = part.shape[axis : axis + mask.axes]
    if any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(mask.values.shape, there, strict=True)):
        x.network.fail(f"a mask of shape {list(mask.values.shape)} for axes of sizes {list(there)}", {"x": x})
    behind = part.ndim - axis - mask.axes
    written = given(part, value)
    if written.ndim > behind and written.shape[written.ndim - behind - 1] != 1:
        _write_chosen(x, parsed(x, index), value)
        return
    if written.ndim > behind:  # the axis of the elements that the mask chooses becomes those of the mask
        front = written.ndim - behind - 1
        written = reshape(written, (*written.shape[:front], *(1,) * mask.axes, *written.shape[front + 1 :]))
    lifted = reshape(tensor(mask.values, x.network), (*mask.values.shape, *(1,) * behind))
    update(part, where(lifted, _broadcast(part, written, part.shape), part))


def _write_chosen(x: Tensor, items: list[Any], value: Operand) -> None:
    """Writes where tensors of integers say."""
    kinds = [is_tensor(item) or is_whole(item) for item in items]
    first, last = kinds.index(True), len(kinds) - 1 - kinds[::-1].index(True)
    if not all(kinds[first : last + 1]) and any(map(is_whole, items)):
        # torch counts ints as tensors there, and moves the axes of all of them to the front
        x.network.fail("an int and a tensor in an index with a slice between: index by the int first", {"x": x})
    part = _part(x, [slice(None) if is_tensor(item) else item for item in items])
    kept = [item for item in items if not is_whole(item)]
    update(part, _put(part, {axis: item for axis, item in enumerate(kept) if is_tensor(item)}, value))


def _put(part: Tensor, indices: Mapping[int, Places], value: Operand) -> Tensor:
    """`part` with values at the integers of several axes. Layer: IScatterLayer ND, on axes moved to the front."""
    axes = list(indices)
    rest = [a for a in range(part.ndim) if a not in axes]
    places = _joint([cast(places_of(part, item, part.shape[axis]), "int64") for axis, item in indices.items()])
    chosen = places.shape[:-1]
    together = axes == list(range(axes[0], axes[-1] + 1))
    before = axes[0] if together else 0
    sizes = tuple(part.shape[a] for a in rest)
    shape = (*sizes[:before], *chosen, *sizes[before:])
    written = _broadcast(part, given(part, value, len(shape)), shape)
    order = [*range(before, before + len(chosen)), *range(before), *range(before + len(chosen), written.ndim)]
    front = [*axes, *rest]
    moved = scattered_nd(permute(part, front), places, permute(written, order))
    return shuffle(moved, before=sorted(range(part.ndim), key=front.__getitem__))


def _joint(vectors: list[Tensor]) -> Tensor:
    """Integers of several axes, broadcast, as places [..., axes]."""
    ndim = max(x.ndim for x in vectors)
    lifted = [reshape(x, (*(1,) * (ndim - x.ndim), *x.shape)) for x in vectors]
    shape = tuple(next((s for s in sizes if s != 1), 1) for sizes in zip(*(x.shape for x in lifted), strict=True))
    return cat([unsqueeze(expand(x, shape), -1) for x in lifted], -1)
