"""Images with the same further channels: layers between convolutions keep them, so all have them or slices are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from trtnet.graph import Network
from trtnet.graph.layers.read import Node, producers
from trtnet.ops.convolutions.kinds import LOADED
from trtnet.ops.convolutions.rewriting.made import Made
from trtnet.ops.convolutions.rewriting.padded import KEEPING
from trtnet.support.backend import trt

FEW = 64
"""Kernels for tensor cores make so many channels at once; those for fewer are slower."""


def is_few(channels: int) -> bool:
    """Whether a kernel for more channels may be faster."""
    return LOADED <= channels < FEW


class Chains:
    """Images in groups: those that layers which keep further channels make of each other."""

    def __init__(self, network: Network, nodes: Sequence[Node]) -> None:
        self._next: dict[trt.ITensor, trt.ITensor] = {}
        makers = producers(nodes)
        for node in nodes:
            (first, *others) = node.outputs or (None,)
            if first is None or others:
                continue
            if first in network.shuffled:
                self._join(network.shuffled[first][0].trt, first)
            elif node.kind in KEEPING:
                for x in node.inputs:
                    if x is not None and (x not in makers or makers[x].kind != "CONSTANT"):
                        self._join(x, first)

    def of(self, image: trt.ITensor) -> trt.ITensor:
        """One image that stands for its group."""
        while image in self._next:
            image = self._next[image]
        return image

    def _join(self, one: trt.ITensor, other: trt.ITensor) -> None:
        first, second = self.of(one), self.of(other)
        if first is not second:
            self._next[first] = second

    def of_few_channels(self, convolutions: Iterable[Made]) -> frozenset[trt.ITensor]:
        """The groups that a convolution of more than one pixel reads or makes few channels of.

        Not one of a few colours, which is slow for these, nor a depthwise one, which computes each channel.
        """
        groups = set()
        for one in convolutions:
            made, channels = one.shape[:2]
            if one.geometry.groups > 1 or prod(one.shape[2:]) == 1 or channels < LOADED:
                continue
            groups |= {self.of(x) for x, n in ((one.image.trt, channels), (one.result, made)) if is_few(n)}
        return frozenset(groups)
