"""Rolled axes by other layers than a slice that wraps."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from trtnet.graph import Size, Tensor
from trtnet.ops.forms.shapes.regrouping import gathered
from trtnet.ops.formulations import form
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.regrouping import MOST
from trtnet.ops.shapes.slicing import Cut, cut

Shifts = Mapping[int, Size]


def is_known(x: Tensor, shifts: Shifts) -> bool:
    """Whether the shifts and the sizes of the axes are known."""
    return all(isinstance(by, int) and isinstance(x.shape[axis], int) for axis, by in shifts.items())


def _starts(x: Tensor, shifts: Shifts) -> dict[int, tuple[int, int]]:
    """By axis, (the element that comes first, how many there are)."""
    return {axis: (-int(by) % int(x.shape[axis]), int(x.shape[axis])) for axis, by in shifts.items()}


@form("roll", "slices", applies=is_known)
def slices(x: Tensor, shifts: Shifts) -> Tensor:
    """Two ISliceLayer and one IConcatenationLayer for each axis."""
    for axis, (start, size) in _starts(x, shifts).items():
        if start:
            x = cat((cut(x, {axis: Cut(start, size - start)}), cut(x, {axis: Cut(0, start)})), axis)
    return x


def is_behind_the_first(x: Tensor, shifts: Shifts) -> bool:
    """Whether all axes up to the last one that is rolled have known sizes, but for the first, which is not rolled."""
    end = max(shifts) + 1
    sizes = x.shape[1:end]
    known = is_known(x, shifts) and all(isinstance(size, int) for size in sizes)
    return known and 0 not in shifts and prod(int(size) for size in sizes) <= MOST


@form("roll", "gather", applies=is_behind_the_first)
def gather(x: Tensor, shifts: Shifts) -> Tensor:
    """IGatherLayer of all axes that are rolled as one; with the windows that are cut before or behind, one layer."""
    end = max(shifts) + 1
    sizes = [int(size) for size in x.shape[1:end]]
    places = np.arange(prod(sizes), dtype=np.int32).reshape(sizes)
    for axis, (start, _) in _starts(x, shifts).items():
        places = np.roll(places, -start, axis - 1)
    return gathered(x, x.shape[0], x.shape[end:], places.reshape(-1), x.shape)
