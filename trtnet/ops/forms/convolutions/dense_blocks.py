"""A convolution in groups as one of fewer groups, whose kernel has zeros where two groups do not meet.

Kernels for tensor cores take sixteen channels at a time; ResNeXt has groups of four.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.convolutions.rearrangement import CHANNELS, Array, Rearrangement, Sides
from trtnet.ops.formulations import form

WIDE = (64, 48, 32)
"""Channels of a block, so many that tiles of kernels for tensor cores are full; the first that divides all counts."""


def joins(kernel: tuple[int, ...], groups: int, channels: int = CHANNELS) -> int:
    """How many groups become one: as many as make sixteen channels, or 1 where they do not divide."""
    wanted = max(channels // kernel[1], 1)
    return wanted if groups % wanted == 0 else 1


def has_small_groups(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> bool:
    """Whether sixteen channels are several whole groups, and there are more."""
    return 1 < joins(kernel, groups) < groups


@form("grouped", "blocks", applies=has_small_groups)
def blocks(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> Rearrangement:
    """Groups of sixteen channels."""
    return _joined(x, kernel, stride, padding, groups, joins(kernel, groups))


def wide_joins(kernel: tuple[int, ...], groups: int) -> int:
    """How many groups become a wide one, or 1."""
    return next((count for channels in WIDE if (count := joins(kernel, groups, channels)) > 1), 1)


def has_wide_blocks(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> bool:
    """Whether 64, 48 or 32 channels are several whole groups, and there are more."""
    return 1 < wide_joins(kernel, groups) < groups


@form("grouped", "wide_blocks", applies=has_wide_blocks)
def wide_blocks(
    x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int
) -> Rearrangement:
    """Groups of 64, 48 or 32 channels."""
    return _joined(x, kernel, stride, padding, groups, wide_joins(kernel, groups))


def is_dense_enough(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> bool:
    """Whether groups have several channels (they have one in a depthwise convolution)."""
    return kernel[1] > 1


@form("grouped", "dense", applies=is_dense_enough)
def dense(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> Rearrangement:
    """One group."""
    return _joined(x, kernel, stride, padding, groups, groups)


def _joined(
    x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int, count: int
) -> Rearrangement:
    """`count` groups as one, with zeros where two groups do not meet."""
    outputs, channels = kernel[0] // groups, kernel[1]

    def moved(array: Array) -> Array:
        parts = array.reshape(groups // count, count, outputs, channels, *array.shape[2:])
        made = np.zeros((groups // count, count, outputs, count, channels, *array.shape[2:]), array.dtype)
        for place in range(count):
            made[:, place, :, place] = parts[:, place]
        return made.reshape(array.shape[0], count * channels, *array.shape[2:])

    return Rearrangement(x, kernel[2:], moved, stride, padding, groups // count)
