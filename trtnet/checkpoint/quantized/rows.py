"""Rows of quantized weights: several weights as one, and parts of one, with values and scales as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.quantized.scheme import WHOLE, Blocks
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight
from trtnet.support.errors import CheckpointError


def joined(weights: Sequence[QuantizedWeight]) -> QuantizedWeight | None:
    """The weights one below the other, as one; None where they are quantized in different ways.

    A scale of a whole weight becomes one a row. Reading raises CheckpointError where the scales or the factors of the
    inputs differ, or the scales of the scales (NVFP4).
    """
    first = weights[0]
    blocks = _of_rows(first.scheme.blocks)
    alike = {(replace(each.scheme, blocks=_of_rows(each.scheme.blocks)), each.dtype, each.shape[1:], each.input_offset)
             for each in weights}  # fmt: skip
    ends = np.cumsum([each.shape[0] for each in weights])
    if len(alike) > 1 or not all(_divides(blocks, int(end)) for end in ends[:-1]):
        return None
    scales = [each.input_scale for each in weights if each.input_scale is not None]
    if len(scales) not in (0, len(weights)):
        return None
    key = ", ".join(each.key for each in weights)
    return replace(
        first,
        key=key,
        shape=(int(ends[-1]), *first.shape[1:]),
        scheme=replace(first.scheme, blocks=blocks),
        parts=tuple(part for each in weights for part in each.parts),
        read=lambda: _joined(key, [each.read() for each in weights]),
        input_scale=(lambda: _one(key, scales)) if scales else None,
    )


def part(weight: QuantizedWeight, begin: int, end: int) -> QuantizedWeight | None:
    """Some rows of a weight; None where a block has rows of several parts."""
    blocks = weight.scheme.blocks
    whole = blocks[0] == WHOLE
    if not whole and not (_divides(blocks, begin) and (end == weight.shape[0] or _divides(blocks, end))):
        return None

    def read() -> QuantizedTensor:
        found = weight.read()
        places = slice(None) if whole else slice(begin // blocks[0], -(-end // blocks[0]))
        own = {name: None if array is None else array[places] for name, array in _by_block(found).items()}
        return replace(found, values=found.values[begin:end], **own)  # type: ignore[arg-type]

    return replace(weight, shape=(end - begin, *weight.shape[1:]), read=read)


def _of_rows(blocks: Blocks) -> Blocks:
    """Blocks in which no scale is of rows of several weights: one a row in the place of one for all."""
    return (1, *blocks[1:]) if blocks[0] == WHOLE else blocks


def _divides(blocks: Blocks, row: int) -> bool:
    return row % blocks[0] == 0


def _by_block(found: QuantizedTensor) -> dict[str, Array | None]:
    return {"scale": found.scale, "zero_point": found.zero_point, "offset": found.offset}


def _joined(key: str, parts: Sequence[QuantizedTensor]) -> QuantizedTensor:
    first = parts[0]
    for name in _WORDS:
        arrays = [getattr(each, name) for each in parts]
        if not all(array is None for array in arrays) and not _equal(arrays):
            raise CheckpointError(f"{key}: the {_WORDS[name]} differ, and a rule makes one weight of them. {_ADVICE}")
    joined: dict[str, Array | None] = {}
    for name in _by_block(first):
        found = [_a_row(each, _by_block(each)[name]) for each in parts]
        there = [array for array in found if array is not None]
        joined[name] = np.concatenate(there) if len(there) == len(found) else None
    values = np.concatenate([each.values for each in parts])
    return replace(first, values=values, blocks=_of_rows(first.blocks), **joined)  # type: ignore[arg-type]


def _a_row(found: QuantizedTensor, blocks: Array | None) -> Array | None:
    """What blocks have, one a row where it was one for all."""
    return blocks if blocks is None or found.blocks[0] != WHOLE else blocks.repeat(found.shape[0], 0)


_WORDS = {
    "groups": "orders of their columns", "input_factor": "factors of their inputs",
    "outer_scale": "scales of their scales",
}  # fmt: skip
_ADVICE = 'Leave it in floats by a pattern of its own with "none"'


def _equal(arrays: Sequence[Array | None]) -> bool:
    first = arrays[0]
    return first is not None and all(array is not None and np.array_equal(array, first) for array in arrays)


def _one(key: str, read: Sequence[Callable[[], float]]) -> float:
    """The scale of the inputs, which are the same. Raises CheckpointError where the file has several."""
    found = {each() for each in read}
    if len(found) > 1:
        said = ", ".join(f"{scale:g}" for scale in sorted(found))
        raise CheckpointError(
            f"{key}: a rule makes one weight of them, and their inputs have the scales {said}. {_ADVICE}"
        )
    return found.pop()
