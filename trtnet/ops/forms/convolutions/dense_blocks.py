"""A convolution in groups as one of fewer groups, whose kernel has zeros where two groups do not meet.

Kernels for tensor cores take sixteen channels at a time; ResNeXt has groups of four.
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.convolutions.rearrangement import CHANNELS, Rearrangement, Sides, joined
from trtnet.ops.formulations import form


def is_dense_enough(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> bool:
    """Whether groups have several channels (they have one in a depthwise convolution)."""
    return kernel[1] > 1


@form("grouped", "dense", applies=is_dense_enough)
def dense(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> Rearrangement:
    """One group."""
    return joined(x, kernel, stride, padding, groups, groups)


def joins(kernel: tuple[int, ...], groups: int) -> int:
    """How many groups become one: as many as make sixteen channels, or 1 where they do not divide."""
    wanted = max(CHANNELS // kernel[1], 1)
    return wanted if groups % wanted == 0 else 1


def has_small_groups(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> bool:
    """Whether sixteen channels are several whole groups, and there are more."""
    return 1 < joins(kernel, groups) < groups


@form("grouped", "blocks", applies=has_small_groups)
def blocks(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, groups: int) -> Rearrangement:
    """Groups of sixteen channels."""
    return joined(x, kernel, stride, padding, groups, joins(kernel, groups))
