"""A convolution whose sum over the input channels is computed in parts: split-K, as libraries of products call it.

Few pixels of many input channels are few blocks of a kernel, each with a long sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from trtnet.graph import Network, Tensor
from trtnet.ops.convolutions.rewriting.made import Made, found
from trtnet.ops.convolutions.rewriting.pairs import stand_in
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts

MOST_PIXELS, LEAST_TERMS = 784, 384
"""Of all images of a batch together, and of a sum, where there is a choice."""


def sum_facts(x: Tensor, one: Made) -> dict[str, int]:
    """The batch, how many pixels of how many channels are made, of how many channels, and the pixels of a window."""
    sizes = {"channels": one.shape[1], "out_channels": one.shape[0], "window": prod(one.shape[2:])}
    return batch_facts(x) | {"pixels": prod(one.result.shape[2:])} | sizes


@formulated("split_k", "whole", facts=sum_facts)
def split(x: Tensor, one: Made) -> Tensor | None:
    """One sum. x: the image."""
    return None


def split_sums(network: Network, outputs: Sequence[Tensor]) -> None:
    """Each convolution without groups in its form."""
    every, wiring = found(network, outputs)
    if wiring is None:
        return
    for one in every:
        if one.geometry.groups == 1 and _is_long(one) and wiring.is_movable(one.result):
            with network.at(one.convolution.place):
                y = split(one.image, one)
            if y is not None:
                stand_in(network, one, y)


def _is_long(one: Made) -> bool:
    """Whether it has sums of many terms for few pixels, whose number is known."""
    batch, _, *pixels = one.result.shape
    return min(batch, *pixels) > 0 and batch * prod(pixels) <= MOST_PIXELS and prod(one.shape[1:]) >= LEAST_TERMS
