"""Tensors joined along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.graph import Size, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import align, axis, ndim_of, network_of, not_empty
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts
from trtnet.ops.quantization.activations import parts_of, watch_joined
from trtnet.ops.shapes.merging import Merging, merging
from trtnet.ops.shapes.shape import unsqueeze
from trtnet.ops.shapes.slicing import movable, restored


def cat(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """Tensors joined one after another along `dim`.

    tensors: a sequence of tensors of one shape, but for `dim`; one of shape [0] is left out, as torch does. Returns
    [..., sum of the sizes, ...], in torch's promoted dtype.
    Layer: IConcatenationLayer. Slices with steps that are all of an image have other forms:
    ``trtnet.ops.forms.shapes.merging``.
    Raises LayerError for no tensors, for sizes that differ along another axis, and for an axis out of range.
    """
    not_empty("cat", tensors)
    full = [getattr(x, "shape", ()) != (0,) for x in tensors]
    ranks = [ndim_of(x) for x, kept in zip(tensors, full, strict=True) if kept]
    if len(set(ranks)) > 1:
        named = {f"x{i}": x for i, x in enumerate(tensors)}
        network_of(*tensors).fail(f"cat takes tensors of one rank, found {', '.join(map(str, ranks))}", named)
    parts = align("cat", *tensors)
    parts = tuple(part for part, kept in zip(parts, full, strict=True) if kept) or parts
    along = axis(parts[0], dim, "cat")
    found = merging(tensors, along)
    if found is not None:
        return _merged(*found, parts)
    name, taken = parts_of(parts)
    return watch_joined(name, parts, _joined(taken, along))


@formulated("merging", "slices", facts=batch_facts)
def _merged(x: Tensor, at: Merging, parts: Sequence[Tensor]) -> Tensor:
    """Slices of an image, which are all of it."""
    return _joined(parts, at.along)


def _joined(parts: Sequence[Tensor], along: int) -> Tensor:
    total: Size = 0
    for part in parts:
        size = part.shape[along]
        total = size if total == 0 else total + size
    shape = (*parts[0].shape[:along], total, *parts[0].shape[along + 1 :])
    arguments = {"inputs": list(movable(*parts))}
    (y,) = parts[0].network.add("concatenation", arguments, attributes={"axis": along}, name="cat", dims=[shape])
    return restored(y, parts[0])


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a new axis before `dim`.

    tensors: a sequence of n tensors of one shape. Returns [..., n, ...], in torch's promoted dtype.
    Layer: IConcatenationLayer, of tensors that IShuffleLayer has given the new axis.
    Raises LayerError for no tensors, for tensors of different shapes, and for an axis out of range.
    """
    not_empty("stack", tensors)
    return cat([unsqueeze(x, dim) for x in tensors], dim)
