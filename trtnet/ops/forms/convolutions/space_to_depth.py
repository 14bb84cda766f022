"""A strided convolution of an image of few channels, as a convolution of stride 1 of its blocks of pixels.

A block of stride x stride pixels becomes the channels of one: [n, c, h, w] -> [n, c s s, h / s, w / s]. The kernel
grows to whole blocks by zeros and is cut in the same way. Kernels for tensor cores take eight or sixteen channels at a
time, and an image has three: on an H200, TensorRT-RTX 1.6 takes 0.49 of ResNet-50's 1.56 ms at batch 32 for the first
convolution, and 0.17 ms for this one (float16).
"""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.convolutions.rearrangement import CHANNELS, Array, Rearrangement, Sides, multiple, with_channels
from trtnet.ops.formulations import form
from trtnet.ops.shapes.pad import pad


def has_room(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides) -> bool:
    """Whether padding takes nothing away that blocks need."""
    return all(axis.after >= 0 for axis in _axes(x, kernel, stride, padding))


@form("stem", "space_to_depth", applies=has_room)
def space_to_depth(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides) -> Rearrangement:
    """The convolution of the blocks, with channels of zeros up to a multiple of sixteen.

    x: [batch, channels, *sizes]. kernel: its shape. padding: (before, after) of each axis.
    """
    return _of_whole_blocks(x, kernel, stride, padding, multiple(kernel[1] * prod(stride), CHANNELS))


@form("stem", "blocks", applies=has_room)
def blocks(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides) -> Rearrangement:
    """The same with the channels that blocks have: twelve, for three of 2x2 pixels."""
    return _of_whole_blocks(x, kernel, stride, padding, kernel[1] * prod(stride))


def _of_whole_blocks(
    x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, channels: int
) -> Rearrangement:
    sizes = [n for n in x.shape[2:] if isinstance(n, int)]
    axes = _axes(x, kernel, stride, padding)
    rest = [n for axis, size in zip(reversed(axes), reversed(sizes), strict=True) for n in (0, axis.filled - size)]
    image = pad(x, rest) if any(rest) else x

    def rearranged(array: Array) -> Array:
        edges = [(axis.lead, axis.taps * axis.step - axis.lead - axis.window) for axis in axes]
        whole = np.pad(array, [(0, 0), (0, 0), *edges])
        cut = whole.reshape(*whole.shape[:2], *(n for axis in axes for n in (axis.taps, axis.step)))
        moved = cut.transpose(_blocks_first(len(axes)))
        return with_channels(moved.reshape(whole.shape[0], -1, *(axis.taps for axis in axes)), channels)

    blocks = _of_blocks(image, axes)
    missing = channels - int(blocks.shape[1])
    filled = pad(blocks, [*[0, 0] * len(axes), 0, missing]) if missing else blocks
    sides = tuple((axis.before, axis.after) for axis in axes)
    return Rearrangement(filled, tuple(axis.taps for axis in axes), rearranged, (1,) * len(axes), sides)


class _Axis:
    """One axis: blocks before and after the image, taps of the kernel, and zeros before the kernel's first element."""

    def __init__(self, size: int, window: int, step: int, padding: tuple[int, int]) -> None:
        self.window, self.step = window, step
        self.before = multiple(padding[0], step) // step
        self.lead = self.before * step - padding[0]
        self.taps = multiple(self.lead + window, step) // step
        self.filled = multiple(size, step)
        outputs = (size + sum(padding) - window) // step + 1
        self.after = outputs - 1 + self.taps - self.before - self.filled // step


def _axes(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides) -> list[_Axis]:
    sizes = [n for n in x.shape[2:] if isinstance(n, int)]
    return [_Axis(*each) for each in zip(sizes, kernel[2:], stride, padding, strict=True)]


def _of_blocks(x: Tensor, axes: list[_Axis]) -> Tensor:
    batch, channels, *sizes = x.shape
    pairs = [n for size, axis in zip(sizes, axes, strict=True) for n in (size // axis.step, axis.step)]
    moved = x.reshape(batch, channels, *pairs).permute(*_blocks_first(len(axes)))
    depth = int(channels) * prod(axis.step for axis in axes)
    return moved.reshape(batch, depth, *(size // axis.step for size, axis in zip(sizes, axes, strict=True)))


def _blocks_first(rank: int) -> list[int]:
    """[n, c, blocks, step, blocks, step, ...] -> [n, c, step, step, ..., blocks, blocks, ...]."""
    return [0, 1, *(3 + 2 * i for i in range(rank)), *(2 + 2 * i for i in range(rank))]
