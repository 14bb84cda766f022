"""From the probabilities that pixels are text to boxes around lines (Liao et al., "Real-time scene text detection with
differentiable binarization", 2020), for lines that are level.
"""

from typing import NamedTuple

import numpy as np

from trtnet.support.errors import InputError


class Box(NamedTuple):
    """In pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    def joined(self, other: "Box") -> "Box":
        return Box(*map(min, self[:2], other[:2]), *map(max, self[2:], other[2:]))


def regions(mask: np.ndarray) -> list[Box]:
    """Boxes of the parts of a mask [height, width] bool that touch each other, at corners too; from top to bottom."""
    boxes: list[Box] = []
    into: list[int] = []
    above: list[tuple[int, int, int]] = []

    def root(i: int) -> int:
        while into[i] != i:
            i = into[i]
        return i

    for y in np.flatnonzero(mask.any(1)).tolist():
        row = []
        for left, right in (
            np.flatnonzero(np.diff(mask[y].astype(np.int8), prepend=0, append=0)).reshape(-1, 2).tolist()
        ):
            own = Box(left, y, right, y + 1)
            touched = {root(i) for i, a, b in above if a <= right and left <= b and boxes[root(i)].bottom >= y}
            first = min(touched, default=len(boxes))
            if not touched:
                boxes.append(own)
                into.append(first)
            for i in touched:
                into[i], own = first, own.joined(boxes[i])
            boxes[first] = own
            row.append((first, left, right))
        above = row
    return [box for i, box in enumerate(boxes) if into[i] == i]


def text_lines(
    probabilities: np.ndarray, least: float = 0.3, mean: float = 0.5, growth: float = 1.6, thinnest: int = 3
) -> list[Box]:
    """Boxes around lines of text, from top to bottom.

    probabilities: [height, width], that a pixel is inside a line. least: a pixel's; mean: a line's. growth: the network
    finds the middle of a line, which grows by this times its area divided by its circumference on each side.
    thinnest: pixels that the middle of a line has at least.
    Raises InputError for an array of another number of dimensions: of a batch, give one image's.
    """
    if probabilities.ndim != 2:
        found = list(probabilities.shape)
        raise InputError(f"probabilities are [height, width] of one image, probabilities[0] of a batch; found {found}")
    height, width = probabilities.shape
    found = []
    for box in regions(probabilities > least):
        wide, high = box.right - box.left, box.bottom - box.top
        inside = probabilities[box.top : box.bottom, box.left : box.right]
        if min(wide, high) < thinnest or inside.mean() < mean:
            continue
        more = round(wide * high * growth / (2 * (wide + high)))
        found.append(
            Box(
                max(0, box.left - more), max(0, box.top - more),
                min(width, box.right + more), min(height, box.bottom + more),
            )
        )  # fmt: skip
    return found
