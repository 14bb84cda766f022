"""Who makes and who reads the tensors of a built network, of the layers that its outputs need."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.graph.layers.kinds import is_fixed
from trtnet.graph.layers.read import Node, Tensor, needed, producers, read
from trtnet.support.backend import trt


class Wiring:
    """The layers that the outputs need, as they are when it is made.

    outputs: tensors, marked or not. makers: the layer that makes each tensor. readers: the layers that read it.
    """

    def __init__(self, network: trt.INetworkDefinition, outputs: Sequence[Tensor]) -> None:
        nodes = needed(read(network), outputs)
        self.makers = producers(nodes)
        self.readers: dict[Tensor, list[Node]] = {}
        self._outputs = set(outputs)
        for node in nodes:
            for tensor in {x for x in node.inputs if x is not None}:
                self.readers.setdefault(tensor, []).append(node)

    def only_reader(self, tensor: Tensor) -> Node | None:
        """The one layer that reads a tensor which is no output; None for another tensor."""
        readers = self.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self._outputs else None

    def is_output(self, tensor: Tensor) -> bool:
        """Whether a tensor is an output."""
        return tensor in self._outputs

    def is_movable(self, tensor: Tensor) -> bool:
        """Whether all that reads a tensor can read another one."""
        return not any(is_fixed(node.kind) for node in self.readers.get(tensor, ()))
