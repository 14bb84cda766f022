"""How the windows of a convolution lie on an image of known sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from trtnet.graph import Tensor

MOST_PLACES = 64
"""Of a window, where each place is a layer or several."""


@dataclass(frozen=True)
class Axis:
    """One axis: the sizes of image, window and result, and how windows lie on it."""

    size: int
    window: int
    step: int
    before: int
    after: int
    dilation: int

    @property
    def results(self) -> int:
        return (self.size + self.before + self.after - self.dilation * (self.window - 1) - 1) // self.step + 1

    def under(self, place: int) -> slice:
        """What of the padded image a place of the window lies on, for each result."""
        start = place * self.dilation
        return slice(start, start + self.step * (self.results - 1) + 1, self.step)


def axes_of(
    x: Tensor,
    window: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> list[Axis]:
    """Those of an image [batch, channels, *sizes]."""
    given = zip(x.shape[2:], window, stride, padding, dilation, strict=True)
    return [Axis(int(size), int(n), step, *sides, apart) for size, n, step, sides, apart in given]


def are_inside(axes: Sequence[Axis]) -> bool:
    """Whether windows are in the image, from which padding takes nothing away."""
    return all(axis.results > 0 and min(axis.before, axis.after) >= 0 for axis in axes)


def have_few_places(axes: Sequence[Axis]) -> bool:
    """Whether they are, and have at most 64 places."""
    return are_inside(axes) and prod(axis.window for axis in axes) <= MOST_PLACES
