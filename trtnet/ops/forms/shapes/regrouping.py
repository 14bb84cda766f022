"""Groups of elements in another order by other layers than permutations."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.ops.convolutions.conv import conv2d
from trtnet.ops.forms.convolutions.copying import MOST_CHANNELS
from trtnet.ops.formulations import form
from trtnet.ops.indexing.gather import take
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.regrouping import Regrouping
from trtnet.ops.shapes.shape import shuffle
from trtnet.ops.shapes.slicing import Cut, cut

Places = np.ndarray[Any, Any]
MOST_SLICES = 16


@form("regrouping", "gather")
def gather(source: Tensor, at: Regrouping, y: Tensor) -> Tensor:
    """IGatherLayer by the constant places of the groups; one behind another is one with the places of both."""
    return gathered(source, at.lead, at.rest, at.places, y.shape)


@dataclass(frozen=True)
class Gathered:
    """What a tensor is: [lead, groups, *rest] of `source`, by places along the second axis, in another shape."""

    source: Tensor
    lead: Size
    rest: tuple[Size, ...]
    places: Places


def gathered(source: Tensor, lead: Size, rest: tuple[Size, ...], places: Places, shape: tuple[Size, ...]) -> Tensor:
    """The elements of [lead, groups, *rest] at places along its second axis, as `shape`.

    source: the same in any shape. places: int32, as many as groups.
    """
    network = source.network
    made: Gathered | None = network.gathered.get(source.trt)
    if made is not None and made.lead == lead:
        smaller = min(rest, made.rest, key=len)
        before, after = _divided(made.places, made.rest, smaller), _divided(places, rest, smaller)
        if before is not None and after is not None and len(before) == len(after):
            source, places, rest = made.source, before[after], smaller
    if (places == np.arange(len(places))).all():
        return shuffle(source, shape=shape).fresh()
    flat = shuffle(source, shape=(lead, len(places), *rest))
    y = shuffle(take(flat, constant(network, places), 1), shape=shape)
    network.gathered[y.trt] = Gathered(source.fresh(), lead, rest, places)
    return y


def _divided(places: Places, rest: tuple[Size, ...], smaller: tuple[Size, ...]) -> Places | None:
    """The places of smaller groups, [*smaller] of [*rest]; None where they are no part of them, or of unknown sizes."""
    count = len(rest) - len(smaller)
    sizes = [size for size in rest[:count] if isinstance(size, int)]
    if rest[count:] != smaller or len(sizes) != count:
        return None
    parts = prod(sizes)
    return (places[:, None] * parts + np.arange(parts, dtype=places.dtype)).reshape(-1)


def is_one_axis(source: Tensor, at: Regrouping, y: Tensor) -> bool:
    """Whether one axis of up to 16 elements moves."""
    return _axis_that_moves(at) is not None


def _axis_that_moves(at: Regrouping) -> tuple[int, int] | None:
    """(from, to) of the shortest axis that has moved, the others being in their order."""
    rank = len(at.sizes)
    moves = [
        (start, end)
        for start in range(rank)
        for end in range(rank)
        if start != end and at.sizes[start] <= MOST_SLICES and _moved(rank, start, end) == at.order
    ]
    return min(moves, key=lambda move: at.sizes[move[0]], default=None)


def _moved(rank: int, start: int, end: int) -> tuple[int, ...]:
    others = [axis for axis in range(rank) if axis != start]
    return (*others[:end], start, *others[end:])


@form("regrouping", "slices", applies=is_one_axis)
def slices(source: Tensor, at: Regrouping, y: Tensor) -> Tensor:
    """ISliceLayer for each element of the axis that moves, and IConcatenationLayer of them along its new place."""
    found = _axis_that_moves(at)
    assert found is not None
    start, end = found
    apart = shuffle(source, shape=(at.lead, *at.sizes, *at.rest))
    others = [size for axis, size in enumerate(at.sizes) if axis != start]
    thin = (at.lead, *others[:end], 1, *others[end:], *at.rest)
    parts = [shuffle(cut(apart, {start + 1: Cut(i, 1)}), shape=thin) for i in range(at.sizes[start])]
    return shuffle(cat(parts, end + 1), shape=y.shape)


def is_an_image(source: Tensor, at: Regrouping, y: Tensor) -> bool:
    """Whether an image [batch, rows, columns, channels] of known rows and columns becomes windows."""
    return source.ndim == 4 and not at.same and all(isinstance(size, int) for size in source.shape[1:3])


@form("regrouping", "wrapped", applies=is_an_image)
def wrapped(source: Tensor, at: Regrouping, y: Tensor) -> Tensor:
    """The permutation behind an ISliceLayer that begins at the end of each axis, where it wraps: the image as it is.

    TensorRT-RTX 1.6 makes a faster kernel of the same permutation where a roll is before it: 7.6 for 14.0 us in the
    third stage of Swin-T, 10.7 for 23.8 in the second, with the norm before (batch 32, float16, H200).
    """
    sizes = {axis: int(size) for axis, size in enumerate(source.shape) if axis in (1, 2)}
    image = cut(source, {axis: Cut(size, size) for axis, size in sizes.items()}, "WRAP", name="roll")
    order = (0, *(axis + 1 for axis in at.order), *range(len(at.order) + 1, len(at.order) + 1 + len(at.rest)))
    return shuffle(shuffle(image, shape=(at.lead, *at.sizes, *at.rest), after=order), shape=y.shape)


def are_channels(source: Tensor, at: Regrouping, y: Tensor) -> bool:
    """Whether the groups are up to 1024 channels of a floating image."""
    channels = len(at.places) == source.shape[1] and len(at.places) <= MOST_CHANNELS
    return source.ndim == 4 and at.same and len(at.rest) == 2 and channels and source.dtype.is_floating


@form("regrouping", "convolution", applies=are_channels)
def convolution(source: Tensor, at: Regrouping, y: Tensor) -> Tensor:
    """IConvolutionLayer of single pixels with one 1 in each kernel."""
    kernel = np.eye(len(at.places))[at.places][:, :, None, None].astype(source.dtype.numpy)
    return conv2d(source, kernel)
