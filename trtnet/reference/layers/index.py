"""Gather and scatter."""

from __future__ import annotations

import torch

from trtnet.reference.refusal import RefusedError
from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support.errors import ExecutionError
from trtnet.support.text.counted import counted


def gather(step: Step) -> list[torch.Tensor]:
    """Elements by index; negative indices count from the end."""
    layer, x, index = step.layer, step.x, step.input(1).long()
    mode = layer.mode.name
    if mode == "ELEMENT":
        return [x.gather(layer.axis, _positive(index, x, layer.axis))]
    if mode == "DEFAULT":
        return [_default(x, index, layer.axis, layer.num_elementwise_dims)]
    return [_by_tuples(x, index, layer.num_elementwise_dims)]


def _default(x: torch.Tensor, index: torch.Tensor, axis: int, batch: int) -> torch.Tensor:
    if batch:
        rows = [_default(a, i, axis - 1, batch - 1) for a, i in zip(x, index, strict=True)]
        return torch.stack(rows)
    flat = x.index_select(axis, _positive(index, x, axis).flatten())
    return flat.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _by_tuples(x: torch.Tensor, index: torch.Tensor, batch: int) -> torch.Tensor:
    """The last axis of the index holds a position in the first axes of `x`."""
    if batch:
        return torch.stack([_by_tuples(a, i, batch - 1) for a, i in zip(x, index, strict=True)])
    return x[tuple(_positive(index[..., i], x, i) for i in range(index.shape[-1]))]


def scatter(step: Step) -> list[torch.Tensor]:
    """The data with the updates at the indices."""
    layer, x = step.layer, step.x
    index, updates = step.input(1).long(), step.input(2)
    if layer.mode.name == "ELEMENT":
        return [x.scatter(layer.axis, _positive(index, x, layer.axis), updates)]
    if layer.mode.name != "ND":
        raise ExecutionError(f"{describe(layer)}: the reference does not execute scatter mode {layer.mode.name}")
    result = x.clone()
    result[tuple(_positive(index[..., i], x, i) for i in range(index.shape[-1]))] = updates
    return [result]


def _positive(index: torch.Tensor, x: torch.Tensor, axis: int) -> torch.Tensor:
    """Indices into an axis, from its beginning. Raises RefusedError for one that the axis does not have."""
    size = x.shape[axis]
    positive = torch.where(index < 0, index + size, index)
    if index.numel() and not 0 <= int(positive.min()) <= int(positive.max()) < size:
        place = ((positive < 0) | (positive >= size)).nonzero()[0].tolist()
        found = f"index {int(index[tuple(place)])}{f' at {place}' if place else ''}"
        rows = counted(size, "row") if axis == 0 else counted(size, "entry", "entries")
        raise RefusedError(f"{found} is out of range: axis {axis} of {list(x.shape)} has {rows}")
    return positive


LAYERS: dict[str, LayerFunction] = {
    "GATHER": gather,
    "SCATTER": scatter,
}
