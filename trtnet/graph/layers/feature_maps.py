"""Which convolution made a tensor, whatever layers it is, and what TensorRT may compute in its kernel or its dtype."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trtnet.graph.layers.convolved import BY_ELEMENT

ITensor = Any  # TensorRT's
Layer = Any
MOVES = frozenset(("cast", "identity", "scale", "scale_nd", "shuffle"))
"""Methods of layers whose result is still the convolution's: in another order, or with a factor of each channel."""
FOLLOWS = BY_ELEMENT | {"concatenation"}
"""Those of layers that are computed with what the convolution before them writes. What may be other layers, such as a
pooling, is not among them: names of operations must not depend on that."""


@dataclass(frozen=True, order=True)
class FeatureMap:
    """What is behind a convolution. since: larger for images that were made later. key: of its weight.

    direct: whether only such layers as in MOVES are between.
    """

    since: int
    key: str
    direct: bool = True


class FeatureMaps:
    """Of a network's tensors those that are the results of convolutions, or computed from them."""

    def __init__(self) -> None:
        self._of: dict[ITensor, FeatureMap] = {}
        self._read: set[ITensor] = set()

    def mark(self, tensor: ITensor, since: int, key: str) -> None:
        """Notes the result of a convolution. since: a number that is larger for images that were made later."""
        self._of[tensor] = FeatureMap(since, key)

    def note(self, method: str, layer: Layer, inputs: Iterable[ITensor], outputs: Sequence[ITensor]) -> None:
        """Notes a new layer. method: that of ``INetworkDefinition`` which made it, without "add_"."""
        read, direct = [*inputs], method in MOVES
        self._read.update(read)
        if not direct and method not in FOLLOWS:
            return
        found = [self._of[x] for x in read if x in self._of]
        if found:
            latest = max(found)
            self._of[outputs[0]] = latest if direct else replace(latest, direct=False)

    def is_read(self, tensor: ITensor) -> bool:
        """Whether a layer reads a tensor."""
        return tensor in self._read

    def of(self, tensor: ITensor) -> FeatureMap | None:
        """None for a tensor that is not computed from a convolution by such layers."""
        return self._of.get(tensor)
