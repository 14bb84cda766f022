"""Blocks of pixels as channels, written as slices with steps that are joined: Swin's patches, YOLO's first layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from trtnet.graph import Shape, Tensor
from trtnet.ops.shapes.slicing import Cut

Position = tuple[int, ...]


@dataclass(frozen=True)
class Merging:
    """What is joined of an image. axes: those that are cut, the one that varies slowest in the result first. step: of
    all of them. along: the axis of the channels."""

    axes: tuple[int, ...]
    step: int
    along: int

    def apart(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """(the image's shape with its blocks as further axes, the order of these in which they are channels)."""
        split: list[Any] = []
        outer, inner = {}, {}
        for axis, size in enumerate(shape):
            outer[axis] = len(split)
            inner[axis] = len(split) + 1
            split += [size // self.step, self.step] if axis in self.axes else [size]
        order = [outer[axis] for axis in range(self.along)] + [inner[axis] for axis in self.axes]
        return tuple(split), (*order, *(outer[axis] for axis in range(self.along, len(shape))))


def merging(tensors: Sequence[Any], along: int) -> tuple[Tensor, Merging] | None:
    """(the image, how its parts are joined), if all are its slices with steps, each once; None for others."""
    views = [x.view_of if isinstance(x, Tensor) else None for x in tensors]
    first = views[0]
    if len(tensors) < 2 or first is None:
        return None
    image: Tensor = first.base
    if any(view is None or view.base is not image or view.key[0] != "part" for view in views):
        return None
    cuts: list[dict[int, Cut]] = [dict(view.key[1:]) for view in views if view is not None]
    axes, step = tuple(sorted(cuts[0])), next(iter(cuts[0].values())).step
    if along in axes or not isinstance(step, int) or step < 2 or len(cuts) != step ** len(axes):
        return None
    starts = [_starts(image, cut, axes, step) for cut in cuts]
    rank = len(axes)
    for order in permutations(range(rank)):
        counted = product(range(step), repeat=rank)
        if starts == [tuple(place[order.index(i)] for i in range(rank)) for place in counted]:
            return image, Merging(tuple(axes[i] for i in order), step, along)
    return None


def _starts(image: Tensor, cuts: dict[int, Cut], axes: tuple[int, ...], step: int) -> Position | None:
    """Where a slice begins in each block; None where it is not every `step`-th element of these axes."""
    if tuple(sorted(cuts)) != axes:
        return None
    for axis, cut in cuts.items():
        size = image.shape[axis]
        if not isinstance(size, int) or size % step or (cut.size, cut.step) != (size // step, step):
            return None
    return tuple(int(cuts[axis].start) for axis in axes)
