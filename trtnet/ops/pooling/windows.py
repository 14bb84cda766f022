"""Windows that slide over the axes of an image: how many there are, and how much of each is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.sizes.dim import Dim, smallest
from trtnet.ops.arguments.window_arguments import Window, spread
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import add, maximum, minimum, mul, sub
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast

Sizes = tuple[int, ...]
Lengths = int | np.ndarray[tuple[int, ...], np.dtype[np.float32]] | Tensor
"""Of the windows of an axis: one for all of them, or one for each."""


@dataclass(frozen=True)
class Windows:
    """A number for each axis behind batch and channels. rounds_up: torch's ceil_mode."""

    sizes: Sizes
    strides: Sizes
    pads: Sizes
    dilations: Sizes
    rounds_up: bool

    @classmethod
    def of(
        cls,
        kernel_size: Window,
        stride: Window | None,
        padding: Window,
        rounds_up: bool,
        rank: int,
        dilation: Window = 1,
    ) -> Windows:
        """From torch's arguments, of windows whose sizes are known."""
        sizes = spread(kernel_size, rank)
        strides = sizes if stride is None else spread(stride, rank)
        return cls(sizes, strides, spread(padding, rank), spread(dilation, rank), rounds_up)

    @property
    def rank(self) -> int:
        return len(self.sizes)

    def counts(self, x: Tensor) -> list[Size]:
        """How many windows each axis has."""
        return [self.count(size, i) for i, size in enumerate(x.shape[2:])]

    def count(self, size: Size, axis: int) -> Size:
        """How many windows an axis of a size has: none starts beyond it and its padding before it."""
        k, s, p, d = (numbers[axis] for numbers in (self.sizes, self.strides, self.pads, self.dilations))
        room = size + (2 * p - d * (k - 1) - 1)
        up = (room + (s - 1)) // s + 1
        return smallest(up, (size + (p - 1)) // s + 1) if self.rounds_up else room // s + 1

    def beyond(self, size: Size, axis: int, element: int | None = None) -> tuple[int, int]:
        """How far windows may leave an axis of a size, before and behind it; or an element of them."""
        if element is None:
            first, last = (self.beyond(size, axis, each) for each in (0, self.sizes[axis] - 1))
            return first[0], last[1]
        count, start = self.count(size, axis), element * self.dilations[axis] - self.pads[axis]
        if isinstance(size, int) and isinstance(count, int):
            behind = start + (count - 1) * self.strides[axis] - (size - 1)
        else:
            last_start = (self.sizes[axis] - 1) * self.dilations[axis] - self.pads[axis]
            behind = start - last_start + self.pads[axis] + (self.strides[axis] - 1 if self.rounds_up else 0)
        return max(-start, 0), max(behind, 0)

    def divides(self, size: Size, axis: int) -> bool:
        """Whether the last window of an axis ends where its padding does."""
        step, room = self.strides[axis], 2 * self.pads[axis] - self.sizes[axis]
        return step == 1 or (isinstance(size, int) and (size + room) % step == 0)

    def lengths(self, x: Tensor, with_padding: bool) -> list[Lengths]:
        """How much of each window of an axis torch counts for a mean, in float32: one number where it is the same.

        with_padding: whether padding counts; what is beyond it never does. A tensor [count] for an axis whose size is
        known at run time.
        """
        found: list[Lengths] = []
        for i, count in enumerate(self.counts(x)):
            size, k, s, p = x.shape[2 + i], self.sizes[i], self.strides[i], self.pads[i]
            if self._are_whole(size, i, with_padding):
                found.append(k)
                continue
            least, most = (-p, size + p) if with_padding else (0, size)
            if isinstance(most, Dim) or isinstance(count, Dim):
                starts = sub(mul(arange(count, network=x.network), s), p)
                first = starts if with_padding else maximum(starts, 0)
                found.append(cast(sub(minimum(add(starts, k), most), first), "float32"))
                continue
            places = np.arange(count) * s - p
            inside = np.minimum(places + k, most) - np.maximum(places, least)
            found.append(int(inside[0]) if (inside == inside[0]).all() else inside.astype(np.float32))
        return found

    def _are_whole(self, size: Size, axis: int, with_padding: bool) -> bool:
        """Whether all of every window of an axis counts, whatever its size."""
        within = not self.rounds_up or self.divides(size, axis)
        return within and (with_padding or self.pads[axis] == 0)


def means_of_sums(
    total: Tensor, x: Tensor, windows: Windows, with_padding: bool, channels_last: bool = False
) -> Tensor:
    """float32 sums of the windows of `x`, each over how much of it torch counts.

    total: [batch, channels, *counts], or with its channels last.
    """
    factor = np.ones((1,) * windows.rank, np.float64)
    for i, length in enumerate(windows.lengths(x, with_padding)):
        behind = (1,) * (windows.rank - 1 - i)
        if isinstance(length, Tensor):
            total = mul(total, div(1.0, length).reshape(-1, *behind, *(1,) * channels_last))
        else:
            factor = factor / np.asarray(length, np.float64).reshape(-1, *behind)
    if factor.size == 1:
        return mul(total, float(factor.item()))
    placed = factor[..., None] if channels_last else factor
    return mul(total, constant(x.network, placed.astype(np.float32)))
