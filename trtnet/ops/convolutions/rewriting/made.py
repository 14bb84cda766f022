"""Convolutions as they are in a network whose layers are all there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.graph import Network, OpenNetwork, Tensor
from trtnet.graph.layers.read import Node
from trtnet.graph.layers.wiring import Wiring
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.place import Place
from trtnet.ops.convolutions.batch_norm_folding import Array, Convolution, Geometry
from trtnet.support import provenance
from trtnet.support.backend import trt


@dataclass(frozen=True, eq=False)
class Made:
    """One layer with constant weights, as the model says it, batch norms and sums included.

    pending: its result. node: the layer.
    """

    pending: PendingLayer
    convolution: Convolution
    geometry: Geometry
    node: Node

    @property
    def image(self) -> Tensor:
        return self.geometry.image

    @property
    def result(self) -> trt.ITensor:
        return self.pending.itensor

    @property
    def path(self) -> str:
        """The module's in which it was called."""
        return self.convolution.place.path

    @property
    def shape(self) -> tuple[int, ...]:
        """The kernel's: [out_channels, channels / groups, *window]."""
        return tuple(self.convolution.weights["kernel"].shape)

    @property
    def kernel(self) -> Array:
        """The layer's, in its dtype."""
        return self.convolution.weights["kernel"].array

    @property
    def bias(self) -> Array:
        """The layer's, zeros where it has none."""
        own = self.convolution.weights.get("bias")
        return np.zeros(self.shape[0], self.kernel.dtype) if own is None else own.array

    def leave(self, network: OpenNetwork) -> None:
        """Nothing reads its layer any more: its weights are in others."""
        network.folded |= {weight.key for weight in self.convolution.weights.values() if weight.key}
        self.convolution.leave(network)


def found(network: Network, outputs: Sequence[Tensor]) -> tuple[list[Made], Wiring | None]:
    """(the convolutions that the outputs need, in order, who reads what); no wiring where there are none."""
    candidates = [each for each in network.pending if _is_candidate(each)]
    if not candidates or network.division.ranks > 1:
        return [], None
    wiring = Wiring(network.trt, [tensor.trt for tensor in outputs])
    return list(_of(candidates, wiring)), wiring


def _is_candidate(pending: PendingLayer) -> bool:
    decided = pending.decided and pending.taken is None
    return decided and isinstance(pending.offer, Convolution) and pending.offer.geometry is not None


def _of(candidates: list[PendingLayer], wiring: Wiring) -> Iterator[Made]:
    for pending in candidates:
        convolution, node = pending.offer, wiring.makers.get(pending.itensor)
        if node is not None and node.kind == "CONVOLUTION" and _is_as_told(convolution, node):
            yield Made(pending, convolution, convolution.geometry, node)


def _is_as_told(convolution: Any, node: Node) -> bool:
    """Whether the layer is the convolution that the model says, no other form of it, with weights of its own."""
    kernel = convolution.weights.get("kernel")
    image, *others = node.inputs
    return (
        node.layer.name == convolution.layer.name
        and kernel is not None
        and tuple(kernel.shape) == tuple(convolution.kernel.shape)
        and image is convolution.geometry.image.trt
        and not any(x is not None for x in others)
    )


def set_aside(network: Network, tensor: Tensor, where: Tensor) -> None:
    """Notes what perhaps nothing reads any more, and a module may have given. where: a tensor of the same loop.

    What is in a loop or a branch cannot be an output, so it cannot be asked for.
    """
    if where.storage.body is None:
        network.aside.append(tensor)


def place_of(paths: Sequence[str], one: Made) -> Place:
    """The innermost module that all are in, at the line of a convolution."""
    first, *others = [path.split(".") for path in paths]
    count = 0
    while count < len(first) and all(first[: count + 1] == other[: count + 1] for other in others):
        count += 1
    return Place(".".join(first[:count]), one.convolution.place.source)


def module_of(node: Node) -> str:
    """The path of the module that a layer belongs to."""
    origins = provenance.read(node.layer.metadata)
    return origins[0].module if origins else ""
