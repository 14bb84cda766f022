"""A convolution as another convolution, of a rearranged image by a rearranged kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.graph import Tensor

Array = np.ndarray[Any, Any]
Sides = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Rearrangement:
    """What TensorRT gets instead of an image, a kernel, a stride and a padding.

    image: [batch, channels, ...]. window: the kernel's sizes. kernel: makes the layer's kernel [out_channels, channels
    / groups, *window] of the one that was given, whose values it only moves. padding: (before, after) of each axis.
    groups: of channels.
    """

    image: Tensor
    window: tuple[int, ...]
    kernel: Callable[[Array], Array]
    stride: tuple[int, ...]
    padding: Sides
    groups: int = 1


CHANNELS = 16
"""What few channels are filled up to a multiple of: kernels for tensor cores take so many at a time."""


def with_channels(array: Array, channels: int) -> Array:
    """A kernel with zeros for the channels that it does not have."""
    missing = channels - array.shape[1]
    return np.pad(array, [(0, 0), (0, missing)] + [(0, 0)] * (array.ndim - 2)) if missing else array


def multiple(number: int, of: int) -> int:
    """The next multiple."""
    return -(-number // of) * of
