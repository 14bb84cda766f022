"""Layers whose weights are decided when something first reads their result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trtnet.graph.memory.weight import Weight, opaque

if TYPE_CHECKING:
    from trtnet.support.backend import trt


class PendingLayer:
    """The result of a layer, which nothing has read yet.

    The layer is in the network with weights of the right sizes and no values, so TensorRT has checked it. What reads
    the result first gives it its own weights. Until then an operation may take the layer and give it others, as a batch
    norm does with a convolution before it: no layer is added that TensorRT drops again, no weight is held twice.

    itensor: the result. offer: what one who takes the layer must know of it. decided: whether something has read the
    result. taken: by whose result, None if the layer is its own; path: the module's that took it.
    decide: gives the layer its own weights. apart: what the result is for who reads it after the layer was taken.
    """

    def __init__(
        self, itensor: trt.ITensor, offer: Any, decide: Callable[[], None], apart: Callable[[PendingLayer], trt.ITensor]
    ) -> None:
        self.itensor, self.offer = itensor, offer
        self.decided = False
        self.taken: PendingLayer | None = None
        self.path = ""
        self._decide, self._apart = decide, apart

    @property
    def is_free(self) -> bool:
        """Whether it can be taken."""
        return not self.decided and self.taken is None

    @property
    def name(self) -> str:
        """Of the result, unique in the network; of a layer that was taken, one that no tensor has."""
        name = str(self.itensor.name)
        return name if self.taken is None else f"{name} (merged into {self.path or 'another layer'})"

    def take(self, by: PendingLayer, path: str) -> None:
        """The layer makes another's result now, of the module at a path, who gives it weights."""
        assert self.is_free
        self.taken, self.path = by, path

    def leave(self, by: PendingLayer, path: str) -> None:
        """The same of a layer whose readers all read another one's result now."""
        assert self.taken is None
        self.taken, self.path = by, path

    def use(self) -> trt.ITensor:
        """The tensor to read. Raises WeightsError for weights that do not fit their dtype."""
        if self.taken is not None:
            self.itensor, self.taken, self.decided = self._apart(self.taken), None, True
        elif not self.decided:
            self._decide()
            self.decided = True
        return self.itensor

    def become(self, itensor: trt.ITensor) -> None:
        """Another layer makes the result."""
        assert self.taken is None
        self.itensor, self.decided = itensor, True


class Placeholders:
    """Weights of the right types and sizes without values, for a layer whose own are not decided.

    handles: by the names of the arguments. The memory, which nothing writes to, must live until the layer has others.
    """

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        self._memory = [np.empty(weight.shape, weight.dtype.numpy) for weight in weights.values()]
        self.handles = {
            name: opaque(weight.dtype, memory, memory.size)
            for (name, weight), memory in zip(weights.items(), self._memory, strict=True)
        }

    def release(self) -> None:
        """The layer has its weights."""
        self._memory.clear()
