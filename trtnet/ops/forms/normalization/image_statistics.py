"""The mean and the deviation of whole images, which norms of one group have, and in which order images are kept.

Each way makes (the mean, ``1 / sqrt(var + eps)``) [batch, 1, 1, 1] in float32 of images [batch, channels, height,
width].
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.forms.normalization import centring
from trtnet.ops.shapes.turned import turning
from trtnet.support.dtypes import float32


def two_passes(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """From the mean of the elements, then that of the squares of what is left of them."""
    wide, _, batch = _as_kept(x)
    centre, _, inverse = centring.centred(wide, tuple(axis for axis in range(x.ndim) if axis != batch), eps)
    return _of_images(x, centre, inverse)


def moments(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """From the means of the elements and of their squares, of the channels at each position first."""
    wide, channels, batch = _as_kept(x)
    positions = tuple(axis + 1 for axis in range(x.ndim) if axis not in (channels, batch))
    return _of_images(x, *centring.from_moments(wide, channels, positions, eps))


def _as_kept(x: Tensor) -> tuple[Tensor, int, int]:
    """(an image in float32, with its axes in the order in which it is kept, its axis of channels, that of images)."""
    found = turning(x)
    if found is None:
        return cast(x, float32), 1, 0
    return cast(found.source, float32), found.order[1], found.order[0]


def _of_images(x: Tensor, centre: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of each image in the order in which `x` is kept as [batch, 1, 1, 1]."""
    found = turning(x)
    if found is None or found.order[0] == 0:
        return centre, inverse
    return centre.permute(*found.order), inverse.permute(*found.order)
