"""Shapes: reshape and transpose, slices, joins."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from trtnet.reference.step import LayerFunction, Step, describe
from trtnet.support.errors import ExecutionError


def shape(step: Step) -> list[torch.Tensor]:
    """The input's sizes, int64."""
    return [torch.tensor(step.x.shape, dtype=torch.int64)]


def shuffle(step: Step) -> list[torch.Tensor]:
    """A transpose, a reshape (0 keeps an axis unless told otherwise, -1 is the rest), and another transpose."""
    layer, x = step.layer, step.x
    x = x.permute(_order(layer.first_transpose, x.ndim))
    target = _target(step)
    if target is not None:
        if layer.zero_is_placeholder:
            target = [x.shape[i] if size == 0 else size for i, size in enumerate(target)]
        x = x.reshape(target)
    return [x.permute(_order(layer.second_transpose, x.ndim))]


def _target(step: Step) -> list[int] | None:
    dims = step.optional(1)
    if dims is not None:
        return [int(size) for size in dims]
    return _dims(step.layer.reshape_dims)


def _dims(value: Sequence[int] | None) -> list[int] | None:
    """A Dims attribute; None if it is not set, which TensorRT tells by None or by a negative length."""
    try:
        return None if value is None else list(value)
    except ValueError:
        return None


def _order(permutation: Sequence[int], rank: int) -> list[int]:
    return [permutation[i] for i in range(rank)]


def squeeze(step: Step) -> list[torch.Tensor]:
    """Without the axes of input 1, or without all of size 1."""
    given = step.optional(1)
    if given is None:
        return [step.x.squeeze()]
    axes = {int(axis) % step.x.ndim for axis in given.flatten()}
    return [step.x.reshape([size for axis, size in enumerate(step.x.shape) if axis not in axes])]


def unsqueeze(step: Step) -> list[torch.Tensor]:
    """With axes of size 1 at the positions of input 1, counted in the result."""
    rank = step.x.ndim + step.input(1).numel()
    x = step.x
    for axis in sorted(int(axis) % rank for axis in step.input(1).flatten()):
        x = x.unsqueeze(axis)
    return [x]


def concatenation(step: Step) -> list[torch.Tensor]:
    """The inputs one after another."""
    return [torch.cat([x for x in step.inputs if x is not None], step.layer.axis)]


def slice_(step: Step) -> list[torch.Tensor]:
    """``x[start + i * stride]``; what lies outside is a fill value, or found again inside, as the mode says."""
    layer, x = step.layer, step.x
    start, size, stride = (_sizes(step, i, name) for i, name in ((1, "start"), (2, "shape"), (3, "stride")))
    axes = _axes(step)
    outside = torch.zeros((), dtype=torch.bool)
    for axis, first, count, by in zip(axes, start, size, stride, strict=True):
        index = first + torch.arange(count) * by
        inside, wrong = _inside(index, x.shape[axis], layer.mode.name, step)
        if x.shape[axis] == 0 and layer.mode.name == "FILL":  # what is outside is read somewhere, and replaced
            x = x.new_zeros([1 if i == axis else n for i, n in enumerate(x.shape)])
        x = x.index_select(axis, inside)
        outside = outside | wrong.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    if layer.mode.name == "FILL":
        fill = step.optional(4)
        x = torch.where(outside, torch.zeros((), dtype=x.dtype) if fill is None else fill.reshape(()), x)
    return [x]


def _sizes(step: Step, index: int, attribute: str) -> list[int]:
    tensor = step.optional(index)
    return list(getattr(step.layer, attribute)) if tensor is None else [int(size) for size in tensor]


def _axes(step: Step) -> list[int]:
    tensor = step.optional(5)
    if tensor is not None:
        return [int(axis) % step.x.ndim for axis in tensor]
    axes = _dims(getattr(step.layer, "axes", None))
    return list(range(step.x.ndim)) if not axes else [axis % step.x.ndim for axis in axes]


def _inside(index: torch.Tensor, size: int, mode: str, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
    """(indices within the axis, where the original ones were not)."""
    outside = (index < 0) | (index >= size)
    if mode in ("CLAMP", "FILL"):
        return index.clamp(0, max(size - 1, 0)), outside
    if mode == "WRAP":
        return index % size, outside
    if mode == "REFLECT":
        period = max(2 * (size - 1), 1)
        folded = index % period
        return torch.where(folded < size, folded, period - folded), outside
    if bool(outside.any()):
        raise ExecutionError(f"{describe(step.layer)}: the slice takes elements outside of an axis of size {size}")
    return index, outside


def padding(step: Step) -> list[torch.Tensor]:
    """Zeros around the last two axes; negative padding crops."""
    before, after = step.layer.pre_padding_nd, step.layer.post_padding_nd
    return [torch.nn.functional.pad(step.x, [before[1], after[1], before[0], after[0]])]


def reverse_sequence(step: Step) -> list[torch.Tensor]:
    """The first elements of each sequence backwards, as many as input 1 says."""
    layer, x = step.layer, step.x
    moved = x.movedim((layer.batch_axis, layer.sequence_axis), (0, 1)).clone()
    for row, length in enumerate(step.input(1).tolist()):
        moved[row, :length] = moved[row, :length].flip(0)
    return [moved.movedim((0, 1), (layer.batch_axis, layer.sequence_axis))]


def non_zero(step: Step) -> list[torch.Tensor]:
    """The positions of what is not zero: [rank, count]."""
    dtype = getattr(torch, step.output_dtype.name)
    return [step.x.nonzero().T.to(dtype)]


LAYERS: dict[str, LayerFunction] = {
    "CONCATENATION": concatenation,
    "NON_ZERO": non_zero,
    "PADDING": padding,
    "REVERSE_SEQUENCE": reverse_sequence,
    "SHAPE": shape,
    "SHUFFLE": shuffle,
    "SLICE": slice_,
    "SQUEEZE": squeeze,
    "UNSQUEEZE": unsqueeze,
}
