"""Which convolution a tensor is computed from, element by element: TensorRT computes both in one kernel.

So it does with a product whose result is rearranged before what is computed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ITensor = Any  # TensorRT's
Layer = Any
CONVOLUTIONS = frozenset(("convolution_nd", "deconvolution_nd"))
BY_ELEMENT = frozenset(("activation", "cast", "elementwise", "scale", "scale_nd", "select", "unary"))
"""Methods of ``INetworkDefinition`` without "add_", of layers whose result has an element for each of their input."""


@dataclass(frozen=True, order=True)
class Origin:
    """The last convolution, or rearranged product, that a tensor is computed from. number: in the order of layers."""

    number: int
    is_grouped: bool


class Convolved:
    """The origins of a network's tensors; those behind any other layer have none."""

    def __init__(self) -> None:
        self._origins: dict[ITensor, Origin] = {}
        self._products: dict[ITensor, Origin] = {}
        self._count = 0

    def note(self, method: str, layer: Layer, inputs: Sequence[ITensor], outputs: Sequence[ITensor]) -> None:
        """Notes a new layer. method: that of ``INetworkDefinition`` which made it, without "add_"."""
        if method in CONVOLUTIONS:
            self._count += 1
            self._origins[outputs[0]] = Origin(self._count, layer.num_groups > 1)
        elif method == "matrix_multiply":
            self._count += 1
            self._products[outputs[0]] = Origin(self._count, is_grouped=False)
        elif method == "shuffle":
            for origins in (self._origins, self._products):
                self._pass(self._products, origins, inputs, outputs[0])
        elif method in BY_ELEMENT:
            for origins in (self._origins, self._products):
                self._pass(origins, origins, inputs, outputs[0])

    def _pass(
        self, origins: dict[ITensor, Origin], to: dict[ITensor, Origin], inputs: Sequence[ITensor], output: ITensor
    ) -> None:
        """The latest origin of the inputs is the output's."""
        if found := [origins[x] for x in inputs if x in origins]:
            to[output] = max(found)

    def origin(self, tensor: ITensor) -> Origin | None:
        """None for a tensor that is not computed from a convolution by layers of single elements."""
        return self._origins.get(tensor)
