"""A convolution of shuffled channels, or of some of them, which is one of the channels as they were: ShuffleNet's."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from trtnet.graph import Network, Tensor
from trtnet.graph.layers.wiring import Wiring
from trtnet.ops.convolutions.rewriting.made import Made, found, module_of, place_of, set_aside
from trtnet.ops.convolutions.rewriting.pairs import stand_in
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels

Places = np.ndarray[Any, Any]


def shuffle_facts(x: Tensor, one: Made, places: Places) -> dict[str, int]:
    """The batch, how many pixels of how many channels, which of them are read, channels made, pixels of a window."""
    return batch_facts(x) | {
        "pixels": pixels(x),
        "channels": int(x.shape[1]),
        "read": len(places),
        "out_channels": one.shape[0],
        "window": prod(one.shape[2:]),
    }


@formulated("shuffled", "layer", facts=shuffle_facts)
def unshuffled(x: Tensor, one: Made, places: Places) -> Tensor | None:
    """The channels are shuffled first. x: the image before. places: which of its channels the convolution reads."""
    return None


def shuffles(network: Network, outputs: Sequence[Tensor]) -> None:
    """Each convolution of shuffled channels in its form."""
    every, wiring = found(network, outputs)
    if wiring is None:
        return
    for one in every:
        source = _source(network, wiring, one)
        if source is None or one.geometry.groups != 1 or not wiring.is_movable(one.result):
            continue
        x, places = source
        with network.at(place_of([module_of(wiring.makers[one.image.trt]), one.path], one)):
            y = unshuffled(x, one, places)
        if y is not None:
            stand_in(network, one, y)
            set_aside(network, one.image, one.image)


def _source(network: Network, wiring: Wiring, one: Made) -> tuple[Tensor, Places] | None:
    """(the image before the shuffle, which of its channels a convolution reads); None if there is no shuffle."""
    image = one.image.trt
    if image in network.shuffled:
        return network.shuffled[image]
    node = wiring.makers.get(image)
    if node is None or node.kind != "SLICE" or len(node.inputs) != 1 or node.inputs[0] not in network.shuffled:
        return None
    x, places = network.shuffled[node.inputs[0]]
    axes = list(getattr(node.layer, "axes", None) or range(x.ndim))
    if axes != [1]:
        return None
    (start,), (size,), (step,) = node.layer.start, node.layer.shape, node.layer.stride
    return (x, places[start : start + size * step : step]) if step > 0 else None
