"""Several convolutions of one image as one: its window, and their kernels in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trtnet.ops.convolutions.batch_norm_folding import Array
from trtnet.ops.convolutions.rearrangement import Sides
from trtnet.ops.convolutions.rewriting.made import Made


@dataclass(frozen=True)
class Whole:
    """Several convolutions of one image as one. window, padding, dilation: its own."""

    members: tuple[Made, ...]
    window: tuple[int, ...]
    padding: Sides
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, one: Made) -> Whole:
        """Of one alone."""
        return cls((one,), one.shape[2:], one.geometry.padding, one.geometry.dilation)

    @property
    def channels(self) -> int:
        """How many it makes."""
        return sum(one.shape[0] for one in self.members)

    def grown(self, one: Made) -> Whole | None:
        """With a window that has room for another's; None where there is none for which both have the same results."""
        window, dilation = one.shape[2:], one.geometry.dilation
        if max(window) == 1:
            dilation = self.dilation
        elif max(self.window) > 1 and dilation != self.dilation:
            return None
        sizes, sides = [], []
        axes = zip(self.window, self.padding, window, one.geometry.padding, dilation, strict=True)
        for size, own, other_size, other, step in axes:
            ends = step * (size - 1) - own[0], step * (other_size - 1) - other[0]
            if own[1] - ends[0] != other[1] - ends[1] or (own[0] - other[0]) % step:
                return None
            before, end = max(own[0], other[0]), max(ends)
            sizes.append((before + end) // step + 1)
            sides.append((before, end + own[1] - ends[0]))
        return replace(self, window=tuple(sizes), padding=tuple(sides), dilation=dilation)

    def kernel(self, one: Made) -> Array:
        """A member's, with zeros up to this window."""
        places = zip(self.padding, one.geometry.padding, self.dilation, self.window, one.shape[2:], strict=True)
        leads = [((outer[0] - inner[0]) // step, size, own) for outer, inner, step, size, own in places]
        edges = [(lead, size - own - lead) for lead, size, own in leads]
        return np.pad(one.kernel, [(0, 0), (0, 0), *edges]) if any(map(any, edges)) else one.kernel
