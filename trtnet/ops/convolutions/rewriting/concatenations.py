"""A convolution of a concatenation, which is the sum of convolutions of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from trtnet.graph import Network, Tensor
from trtnet.graph.layers.read import Node
from trtnet.ops.convolutions.rewriting.made import Made, found, module_of, place_of, set_aside
from trtnet.ops.convolutions.rewriting.pairs import stand_in
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels


def part_facts(x: Tensor, one: Made, parts: Sequence[Tensor]) -> dict[str, int]:
    """The batch, how many pixels of how many channels of how many parts, channels made, pixels of a window."""
    return batch_facts(x) | {
        "pixels": pixels(x),
        "channels": one.shape[1],
        "parts": len(parts),
        "out_channels": one.shape[0],
        "window": prod(one.shape[2:]),
    }


@formulated("cat", "layer", facts=part_facts)
def convolved(x: Tensor, one: Made, parts: Sequence[Tensor]) -> Tensor | None:
    """The concatenation is a layer. x: its result. parts: what it joins."""
    return None


def concatenations(network: Network, outputs: Sequence[Tensor]) -> None:
    """Each convolution of a concatenation in its form."""
    every, wiring = found(network, outputs)
    if wiring is None:
        return
    for one in every:
        maker = wiring.makers.get(one.image.trt)
        if maker is None or one.geometry.groups != 1 or not wiring.is_movable(one.result):
            continue
        parts = joined(network, one.image, maker)
        if len(parts) > 1:
            with network.at(place_of([module_of(maker), one.path], one)):
                total = convolved(one.image, one, parts)
            if total is not None:
                stand_in(network, one, total)
                set_aside(network, one.image, one.image)


def joined(network: Network, image: Tensor, maker: Node) -> list[Tensor]:
    """The images that are joined by channels to one; none if it is no concatenation of such."""
    if maker.kind != "CONCATENATION" or maker.layer.axis != 1:
        return []
    shapes = [tuple(x.shape) for x in maker.inputs]
    if any(shape[1] < 1 for shape in shapes):
        return []
    known = [(image.shape[0], shape[1], *image.shape[2:]) for shape in shapes]
    parts = zip(maker.inputs, shapes, known, strict=True)
    return [Tensor(network, x, shape, dims) for x, shape, dims in parts]
