"""Convolutions of unaligned or few channels make further ones, of zeros, and read them.

Unaligned are numbers that are no multiples of 8, which kernels for tensor cores load at a time: in 16 bits these are 16
bytes, and TensorRT has slower kernels for other numbers. Few are less than 64. The layers between convolutions are
computed with the further channels: nothing is copied to add them, and a slice is made only where something else reads
an image. In networks without loops and branches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from trtnet.graph import Network, Tensor
from trtnet.graph.layers.kinds import kind_of
from trtnet.graph.layers.read import Node, needed, producers, read
from trtnet.ops.convolutions.batch_norm_folding import Array
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.kinds import LOADED
from trtnet.ops.convolutions.rearrangement import multiple
from trtnet.ops.convolutions.rewriting.chains import Chains, is_few
from trtnet.ops.convolutions.rewriting.made import Made, found, set_aside
from trtnet.ops.convolutions.rewriting.padded import Padded, kept
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels
from trtnet.support.backend import trt


def channel_facts(x: Tensor, one: Made) -> dict[str, int]:
    """The batch, how many pixels of how many channels, channels made, groups, and the pixels of a window."""
    return batch_facts(x) | {
        "pixels": pixels(x),
        "channels": one.shape[1] * one.geometry.groups,
        "out_channels": one.shape[0],
        "groups": one.geometry.groups,
        "window": prod(one.shape[2:]),
    }


@formulated("unaligned", "layer", facts=channel_facts)
def unit_of(x: Tensor, one: Made) -> int | None:
    """No further channels. Others return what the number of channels becomes a multiple of. x: the image."""
    return None


@formulated("few_channels", "layer", facts=channel_facts)
def unit_of_few(x: Tensor, one: Made) -> int | None:
    """The same, asked where a convolution of more than one pixel reads or makes 8 to 63 channels, or is computed with
    one that does: whose images layers between convolutions make of each other."""
    return None


def further_channels(network: Network, outputs: Sequence[Tensor]) -> None:
    """Each such convolution of a network in its form, and what is computed between them."""
    every, wiring = found(network, outputs)
    if wiring is None:
        return
    nodes = needed(read(network.trt), [tensor.trt for tensor in outputs])
    if any(kind_of(node.kind).boundary for node in nodes):
        return
    chains = Chains(network, nodes)
    few = chains.of_few_channels(every)
    by_node = {one.node.layer.name: one for one in every}
    padded: dict[trt.ITensor, Padded] = {}
    others: dict[trt.ITensor, Padded] = {}  # without further channels
    replaced: list[Made] = []
    for node in _in_order(nodes):
        if not all(map(wiring.is_movable, node.outputs)):
            continue
        one = by_node.get(node.layer.name)
        with network.at(network.places.get(node.layer.name, network.place)):
            if one is None:
                made = kept(network, node, padded)
            else:
                made = _convolved(
                    one, padded.get(one.image.trt), [chains.of(x) in few for x in (one.image.trt, one.result)]
                )
        if made is not None:
            (padded if made.is_wider else others)[node.outputs[0]] = made
            replaced += [] if one is None else [one]
    _connect(network, padded | others, replaced)


def _in_order(nodes: Sequence[Node]) -> Iterator[Node]:
    """Each after those that make what it reads."""
    makers, done = producers(nodes), set[Node]()
    for last in nodes:
        stack = [last]
        while stack:
            node = stack[-1]
            before = [maker for x in node.inputs if (maker := makers.get(x)) is not None and maker not in done]
            if before:
                stack += before
            elif stack.pop() not in done:
                done.add(node)
                yield node


def _convolved(one: Made, image: Padded | None, is_of_few: Sequence[bool]) -> Padded | None:
    """A convolution with further channels; None where it stays as it is.

    image: what it reads, if that has further ones. is_of_few: whether what it reads, and makes, is in a chain of few.
    """
    groups = one.geometry.groups
    is_depthwise = groups == one.shape[0] and one.shape[1] == 1
    if groups > 1 and (image is None or not is_depthwise):
        return None
    found = _wider(one, image, is_of_few)
    if found is None:
        return None
    count, unit = found
    if groups > 1:
        assert image is not None
        count, places = int(image.tensor.shape[1]), image.places
        return Padded(_layer(one, image.tensor, _spread(one.kernel, count, places), count, places), places, image.unit)
    places = np.arange(one.shape[0])
    kernel = _spread(one.kernel, count, places)
    if image is None:
        return Padded(_layer(one, one.image, kernel, count, places), places, unit)
    wide = _spread(kernel.swapaxes(0, 1), int(image.tensor.shape[1]), image.places).swapaxes(0, 1)
    return Padded(_layer(one, image.tensor, np.ascontiguousarray(wide), count, places), places, unit)


def _wider(one: Made, image: Padded | None, is_of_few: Sequence[bool]) -> tuple[int, int] | None:
    """(how many channels it makes, a multiple of what further ones are); None where it stays as it is."""
    count, (reads_few, makes_few) = one.shape[0], is_of_few
    is_made_of_few = makes_few and is_few(count)
    if (image is not None and reads_few) or is_made_of_few:
        unit = unit_of_few(one.image, one)
        if unit is not None:
            return multiple(count, unit) if is_made_of_few else count, unit
    is_unaligned = count > LOADED and count % LOADED > 0
    if image is None and not is_unaligned:
        return None
    unit = unit_of(one.image, one)
    if unit is None:
        return None
    return multiple(count, unit) if is_unaligned else count, unit


def _spread(array: Array, count: int, places: Array) -> Array:
    """With zeros between the elements of the first axis."""
    whole = np.zeros((count, *array.shape[1:]), array.dtype)
    whole[places] = array
    return whole


def _layer(one: Made, image: Tensor, kernel: Array, count: int, places: Array) -> Tensor:
    at, rank = one.geometry, image.ndim - 2
    bias = _spread(one.bias, count, places) if "bias" in one.convolution.weights else None
    groups = count if at.groups > 1 else 1
    y = convolution(image, kernel, bias, at.stride, at.padding, at.dilation, groups, rank)
    _ = y.trt  # decides who makes it
    return y


def _connect(network: Network, padded: dict[trt.ITensor, Padded], replaced: Sequence[Made]) -> None:
    """What reads the images themselves reads slices; what reads padded ones does already."""
    by_result = {one.result: one for one in replaced}
    for itensor, image in padded.items():
        with network.at(network.places.get(network.maker(image.tensor).name, network.place)):
            own = image.own
        if own is None:
            shape = (image.tensor.shape[0], len(image.places), *image.tensor.shape[2:])
            set_aside(network, Tensor(network, itensor, tuple(itensor.shape), shape), image.tensor)
            continue
        network.replace(itensor, own.trt)
        set_aside(network, own, image.tensor)
        if itensor in by_result:
            one = by_result[itensor]
            one.pending.become(own.trt)
            one.leave(network)
