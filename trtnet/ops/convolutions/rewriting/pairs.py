"""A depthwise convolution and the 1x1 convolution of its result, which are one convolution of all channels."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.graph import Network, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.convolutions.rewriting.made import Made, found, place_of
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels


def pair_facts(x: Tensor, first: Made, second: Made) -> dict[str, int]:
    """The batch, how many pixels, channels before and after, and the pixels of a window."""
    outputs, _, *window = (second.shape[0], *first.shape[1:])
    area = 1
    for size in window:
        area *= size
    return batch_facts(x) | {
        "pixels": pixels(x),
        "channels": first.geometry.groups,
        "out_channels": outputs,
        "window": area,
    }


@formulated("separable", "pair", facts=pair_facts)
def separable(x: Tensor, first: Made, second: Made) -> Tensor | None:
    """Two layers. x: the image of the first one."""
    return None


def pairs(network: Network, outputs: Sequence[Tensor]) -> None:
    """Each pair of a network in its form."""
    every, wiring = found(network, outputs)
    if wiring is None:
        return
    by_result = {each.result: each for each in every}
    for second in every:
        first = by_result.get(second.image.trt)
        if first is None or wiring.only_reader(first.result) is not second.node or not is_pair(first, second):
            continue
        if not wiring.is_movable(second.result):
            continue
        with network.at(place_of([first.path, second.path], second)):
            whole = separable(first.image, first, second)
        if whole is not None:
            stand_in(network, second, whole)
            made = whole.current
            assert isinstance(made, PendingLayer)
            first.pending.leave(made, second.path)
            first.leave(network)


def stand_in(network: Network, one: Made, result: Tensor) -> None:
    """Another tensor is read in place of a convolution's result."""
    network.replace(one.result, result.trt)
    one.pending.become(result.trt)
    one.leave(network)


def is_pair(first: Made, second: Made) -> bool:
    """Whether one is depthwise, and the other one of single pixels of all channels."""
    return (
        first.shape[1] == 1
        and first.geometry.groups > 1
        and second.geometry.groups == 1
        and set(second.shape[2:]) == {1}
        and {n for sides in second.geometry.padding for n in sides} == {0}
        and first.image.dtype == second.image.dtype
    )
