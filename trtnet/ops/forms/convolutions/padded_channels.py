"""A convolution of few channels as one of more, of which the further ones are zeros.

On an H200, TensorRT-RTX 1.6 takes 0.62 ms for VGG's first convolution at batch 32, and 0.40 ms with 16 channels
(float16): its kernels for tensor cores take so many at a time.
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.convolutions.kinds import LOADED
from trtnet.ops.convolutions.rearrangement import CHANNELS, Rearrangement, Sides, multiple, with_channels
from trtnet.ops.convolutions.rewriting.chains import FEW
from trtnet.ops.convolutions.rewriting.made import Made
from trtnet.ops.formulations import form
from trtnet.ops.shapes.pad import pad

FOUR = 4
"""On an H200, TensorRT-RTX 1.6 takes 58 us for 32 convolutions of 3x3, stride 2, at batch 32, and 53 us with four."""


@form("thin", "padded")
def padded_channels(x: Tensor, kernel: tuple[int, ...], padding: Sides, dilation: tuple[int, ...]) -> Rearrangement:
    """The convolution with sixteen channels. kernel: its shape. padding: (before, after) of each axis."""
    return _with(x, kernel, (1,) * len(padding), padding, CHANNELS)


@form("stem", "padded")
def padded_stem(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides) -> Rearrangement:
    """The same of a strided convolution."""
    return _with(x, kernel, stride, padding, CHANNELS)


def has_less_than_four(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides) -> bool:
    """Whether the image has one, two or three channels."""
    return kernel[1] < FOUR


@form("stem", "padded_to_4", applies=has_less_than_four)
def padded_to_4(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides) -> Rearrangement:
    """A strided convolution with four channels."""
    return _with(x, kernel, stride, padding, FOUR)


def _with(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: Sides, count: int) -> Rearrangement:
    """With channels up to a multiple of a number."""
    channels = multiple(kernel[1], count)
    image = pad(x, [*[0, 0] * len(padding), 0, channels - kernel[1]])
    return Rearrangement(image, kernel[2:], lambda array: with_channels(array, channels), stride, tuple(padding))


@form("unaligned", "padded")
def padded_to_8(x: Tensor, one: Made) -> int:
    """Channels up to a multiple of 8: 58 as 64, 18 as 24."""
    return LOADED


@form("unaligned", "padded_to_16")
def padded_to_16(x: Tensor, one: Made) -> int:
    """Channels up to a multiple of 16: 18 as 32."""
    return CHANNELS


@form("unaligned", "padded_to_32")
def padded_to_32(x: Tensor, one: Made) -> int:
    """Channels up to a multiple of 32: 36 as 64."""
    return 2 * CHANNELS


@form("few_channels", "padded_to_64")
def padded_to_64(x: Tensor, one: Made) -> int:
    """Channels up to 64: 16 as 64. On an H200, TensorRT-RTX 1.6 takes 9 us for 3x3 convolutions of 16 channels or 32 at
    batch 1, and 5 us for the same with 64."""
    return FEW
