"""Where torch would have the elements of a tensor in memory, as far as that is known: what tells views from copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from trtnet.graph.sizes.dim import Shape, Size, static

Strides: TypeAlias = "tuple[int, ...] | bool | None"
"""Elements from one to the next along each axis; True for those of a contiguous tensor, None if they are not known."""


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    strides = [1]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * max(size, 1))
    return tuple(reversed(strides))[: len(shape)] if shape else ()


def known(shape: Shape, strides: Strides) -> tuple[int, ...] | None:
    """Strides as numbers; None if they are not known, or sizes are not."""
    sizes = static(shape)
    if sizes is None or strides is None or strides is False:
        return None
    return contiguous(sizes) if strides is True else strides


def is_contiguous(shape: Shape, strides: Strides) -> bool | None:
    """Whether a tensor is contiguous, None if that is not known. The stride of an axis of size 1 says nothing."""
    numbers, sizes = known(shape, strides), static(shape)
    if numbers is None or sizes is None:
        return True if strides is True else None
    if 0 in sizes:
        return True
    pairs = zip(sizes, numbers, contiguous(sizes), strict=True)
    return all(size == 1 or stride == expected for size, stride, expected in pairs)


def permuted(shape: Shape, strides: Strides, order: Sequence[int]) -> Strides:
    """The strides of a view with its axes in another order."""
    numbers = known(shape, strides)
    return None if numbers is None else tuple(numbers[a] for a in order)


def reshaped(shape: Shape, strides: Strides, to: Shape) -> Strides:
    """The strides of the view of another shape, False if there is none, None if that is not known."""
    if is_contiguous(shape, strides):
        return True
    numbers, sizes, target = known(shape, strides), static(shape), static(to)
    if numbers is None or sizes is None or target is None:
        return None
    found = _split(sizes, numbers, target)
    return False if found is None else found


def _split(shape: tuple[int, ...], strides: tuple[int, ...], to: tuple[int, ...]) -> tuple[int, ...] | None:
    """Axes that follow one another in memory as one, and that as those of `to`."""
    runs: list[tuple[int, int]] = []  # (elements, stride) of the axes that are one, first to last
    for size, stride in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            runs[-1] = runs[-1][0] * size, stride
        else:
            runs.append((size, stride))
    result: list[int] = []
    left, step = 1, 1
    for size in reversed(to):
        if size == 1:
            result.append(left * step if left > 1 else step)
            continue
        if left == 1:
            if not runs:
                return None
            left, step = runs.pop()
        if left % size:
            return None
        result.append(step)
        left, step = left // size, step * size
    return tuple(reversed(result)) if not runs and left == 1 else None


def text(shape: Shape, strides: Strides) -> tuple[Size, ...] | None:
    """Strides as torch gives them, with Dims for a contiguous tensor of sizes that are not known."""
    numbers = known(shape, strides)
    if numbers is not None or strides is not True:
        return numbers
    result: list[Size] = [1]
    for size in reversed(shape[1:]):
        result.append(size * result[-1])
    return tuple(reversed(result))
