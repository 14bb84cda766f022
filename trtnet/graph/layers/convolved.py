"""Which convolution a tensor is computed from, element by element: TensorRT computes both in one kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

ITensor = Any  # TensorRT's
Layer = Any
CONVOLUTIONS = frozenset(("convolution_nd", "deconvolution_nd"))
BY_ELEMENT = frozenset(("activation", "cast", "elementwise", "scale", "scale_nd", "select", "unary"))
"""Methods of ``INetworkDefinition`` without "add_", of layers whose result has an element for each of their input."""
KEEPS = BY_ELEMENT | {"concatenation", "identity", "shuffle", "slice"}
"""The same of layers whose result has elements of a convolution's, perhaps in other places."""


@dataclass(frozen=True, order=True)
class Origin:
    """The last convolution that a tensor is computed from. number: in the order in which layers were added."""

    number: int
    is_grouped: bool


class Convolved:
    """The origins of a network's tensors; those behind any other layer have none."""

    def __init__(self) -> None:
        self._origins: dict[ITensor, Origin] = {}
        self._holding: set[ITensor] = set()
        self._count = 0

    def note(self, method: str, layer: Layer, inputs: Iterable[ITensor], outputs: Sequence[ITensor]) -> None:
        """Notes a new layer. method: that of ``INetworkDefinition`` which made it, without "add_"."""
        read = [*inputs]
        if method in CONVOLUTIONS or (method in KEEPS and not self._holding.isdisjoint(read)):
            self._holding.update(outputs)
        if method in CONVOLUTIONS:
            self._count += 1
            self._origins[outputs[0]] = Origin(self._count, layer.num_groups > 1)
        elif method in BY_ELEMENT:
            found = [self._origins[x] for x in read if x in self._origins]
            if found:
                self._origins[outputs[0]] = max(found)

    def origin(self, tensor: ITensor) -> Origin | None:
        """None for a tensor that is not computed from a convolution by layers of single elements."""
        return self._origins.get(tensor)

    def holds(self, tensor: ITensor) -> bool:
        """Whether a tensor has elements of a convolution's result, or computed from single ones."""
        return tensor in self._holding
