"""A convolution of few channels as one of more, of which the further ones are zeros.

On an H200, TensorRT-RTX 1.6 takes 0.62 ms for VGG's first convolution at batch 32, and 0.40 ms with 16 channels
(float16): its kernels for tensor cores take so many at a time.
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.convolutions.rearrangement import CHANNELS, Rearrangement, Sides, multiple, with_channels
from trtnet.ops.formulations import form
from trtnet.ops.shapes.pad import pad


@form("thin", "padded")
def padded_channels(x: Tensor, kernel: tuple[int, ...], padding: Sides) -> Rearrangement:
    """The convolution with more channels. kernel: its shape. padding: (before, after) of each axis."""
    rank, channels = len(padding), multiple(kernel[1], CHANNELS)
    image = pad(x, [*[0, 0] * rank, 0, channels - kernel[1]])
    return Rearrangement(image, kernel[2:], lambda array: with_channels(array, channels), (1,) * rank, tuple(padding))
