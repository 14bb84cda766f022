"""Channels as pixels, and other orders of channels."""

from __future__ import annotations

from trtnet.graph import Dim, Size, Tensor
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import mean_facts
from trtnet.ops.shapes.shape import shuffle
from trtnet.support.text.counted import counted


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Channels rearranged as pixels.

    x: [..., channels r^2, height, width], of any dtype. upscale_factor: r, an int. Returns [..., channels, height r,
    width r], in the dtype of `x`.
    Layer: IShuffleLayer. There are other forms: ``trtnet.ops.forms.images.pixel_shuffle``.
    Raises LayerError for fewer dimensions, and for a number of channels that r^2 does not divide.
    Source: Shi et al., 2016, arXiv:1609.05158.
    """
    r = upscale_factor
    _check_rank("pixel_shuffle", x, 3)
    channels = x.shape[-3]
    if not isinstance(channels, int) or channels % (r * r):
        x.network.fail(f"pixel_shuffle by {r} of {channels} channels", {"x": x})
    return _shuffled(x, r)


@formulated("pixel_shuffle", "permute", facts=mean_facts)
def _shuffled(x: Tensor, r: int) -> Tensor:
    *lead, channels, height, width = x.shape
    assert isinstance(channels, int)
    n = len(lead)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    apart = shuffle(x, shape=(*lead, channels // (r * r), r, r, height, width), after=order)
    return apart.reshape(*lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """Pixels rearranged as channels, the inverse of pixel_shuffle.

    x: [..., channels, height r, width r], of any dtype. downscale_factor: r, an int. Returns [..., channels r^2,
    height, width], in the dtype of `x`.
    Layer: IShuffleLayer. There are other forms: ``trtnet.ops.forms.images.pixel_shuffle``.
    Raises LayerError for fewer dimensions, and for known sizes that r does not divide.
    Source: Shi et al., 2016, arXiv:1609.05158.
    """
    r = downscale_factor
    _check_rank("pixel_unshuffle", x, 3)
    channels, height, width = x.shape[-3:]
    if not _divides(r, height) or not _divides(r, width):
        x.network.fail(f"pixel_unshuffle by {r} of {channels}x{height}x{width}", {"x": x})
    return _unshuffled(x, r)


@formulated("pixel_unshuffle", "permute", facts=mean_facts)
def _unshuffled(x: Tensor, r: int) -> Tensor:
    *lead, channels, height, width = x.shape
    n = len(lead)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    apart = shuffle(x, shape=(*lead, channels, height // r, r, width // r, r), after=order)
    return apart.reshape(*lead, channels * r * r, height // r, width // r)


def _divides(r: int, size: Size) -> bool:
    return isinstance(size, Dim) or size % r == 0


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The channels of each group interleaved with those of the others.

    x: [batch, channels, ...], of any dtype. groups: an int. Returns the shape and dtype of `x`.
    Layer: IShuffleLayer.
    Raises LayerError for fewer dimensions, and for a number of channels that the groups do not divide.
    Source: Zhang et al., 2017, arXiv:1707.01083.
    """
    _check_rank("channel_shuffle", x, 2)
    batch, channels, *rest = x.shape
    if not isinstance(channels, int) or channels % groups:
        x.network.fail(f"channel_shuffle of {counted(channels, 'channel')} in {counted(groups, 'group')}", {"x": x})
    return x.reshape(batch, groups, channels // groups, *rest).transpose(1, 2).reshape(batch, channels, *rest)


def _check_rank(operation: str, x: Tensor, least: int) -> None:
    if x.ndim < least:
        x.network.fail(f"{operation} takes {counted(least, 'dimension')} or more, found {x.ndim}", {"x": x})
