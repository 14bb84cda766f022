"""Convolutions of one image, which are one convolution with more channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from trtnet.graph import Network, Tensor
from trtnet.ops.convolutions.rewriting.joining import join
from trtnet.ops.convolutions.rewriting.made import Made, found, place_of
from trtnet.ops.convolutions.rewriting.whole import Whole
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels


def sibling_facts(x: Tensor, whole: Whole, one: Made) -> dict[str, int]:
    """The batch, pixels and channels of the image, channels made by both, and the pixels of both windows."""
    return batch_facts(x) | {
        "pixels": pixels(x),
        "channels": one.shape[1],
        "out_channels": one.shape[0],
        "others": whole.channels,
        "window": prod(one.shape[2:]),
        "others_window": prod(whole.window),
    }


@formulated("siblings", "separate", facts=sibling_facts)
def beside(x: Tensor, whole: Whole, one: Made) -> Whole | None:
    """A layer of its own. x: the image. whole: the convolutions of it that are one already, or the first one."""
    return None


def siblings(network: Network, outputs: Sequence[Tensor]) -> None:
    """The convolutions of each image of a network in their forms."""
    every, wiring = found(network, outputs)
    if wiring is None:
        return
    images: dict[object, list[Whole]] = {}
    for one in every:
        if one.geometry.groups == 1 and wiring.is_movable(one.result):
            at = one.image.trt, one.image.storage.body, one.geometry.stride, one.image.dtype.name
            _place(network, images.setdefault(at, []), one)
    for wholes in images.values():
        for whole in wholes:
            if len(whole.members) > 1:
                join(network, whole, outputs)


def _place(network: Network, wholes: list[Whole], one: Made) -> None:
    """Puts a convolution to those of its image that it may be one with, the ones of its own window first."""
    fits = [(whole, grown) for whole in wholes if (grown := whole.grown(one)) is not None]
    for whole, _ in sorted(fits, key=lambda pair: pair[0].window != one.shape[2:]):
        with network.at(place_of([one.path, *(other.path for other in whole.members)], one)):
            both = beside(one.image, whole, one)
        if both is not None:
            wholes[wholes.index(whole)] = both
            return
    wholes.append(Whole.of(one))
