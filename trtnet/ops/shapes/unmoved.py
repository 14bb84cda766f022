"""Operands that are another tensor, moved to where it was: ``y + channel_shuffle(y, 1)``.

TensorRT-RTX 1.6.1 computes a sum, product or maximum of a convolution and what is made of its result in the kernel of
the convolution. Where an operand is that result behind a permutation that moves axes of size 1 only, in engines of
fixed shapes, its plan has that kernel read its own result from memory, before it is there: a relative error of 0.45 in
a random network on an H200. Plans have no such kernel behind reshapes alone, and 1.7.1 makes none:
tests/gpu/test_gpu_unmoved.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from trtnet.graph import Size, Tensor
from trtnet.ops.shapes.moves import Move
from trtnet.support import backend

T = TypeVar("T")


def unmoved(x: T) -> T:
    """The first tensor that `x` is by permutations, if it has the same shape and the same elements in its places."""
    if not isinstance(x, Tensor) or backend.name() != "tensorrt_rtx":
        return x
    found = source = cast(Tensor, x)
    is_permuted = False
    while isinstance(move := source.network.moves.get(source.trt), Move) and _keeps_elements(move):
        is_permuted, source = is_permuted or not move.is_reshape, move.source
        if is_permuted and source.shape == x.shape:
            found = source
    return cast(T, found)


def _keeps_elements(move: Move) -> bool:
    """Whether elements stay in their order in memory."""
    before = _in_order(move.source.shape, move.before)
    middle = [move.source.shape[axis] for axis in move.before] if move.shape is None else move.shape
    return before and _in_order(middle, move.after)


def _in_order(shape: Sequence[Size], order: Sequence[int]) -> bool:
    """Whether a permutation moves axes of size 1 only."""
    kept = [axis for axis in order if shape[axis] != 1]
    return kept == sorted(kept)
