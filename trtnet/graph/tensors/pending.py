"""Layers whose weights are decided when something first reads their result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trtnet.graph.tensors.weight import Weight, opaque

if TYPE_CHECKING:
    from trtnet.support.backend import trt


class Pending:
    """The result of a layer, which nothing has read yet.

    The layer is in the network with weights of the right sizes and no values, so TensorRT has checked it. What reads
    the result first gives it its own weights. Until then an operation may take the layer and give it others, as a batch
    norm does with a convolution before it: no layer is added that TensorRT drops again, no weight is held twice.

    itensor: the result. offer: what one who takes the layer must know of it. taken_by: the path of the module that took
    it, None if none has. decided: whether something has read the result.
    decide: gives the layer its own weights. again: adds the layer once more and returns its result, for what reads the
    result after the layer was taken.
    """

    def __init__(
        self,
        itensor: trt.ITensor,
        offer: Any,
        decide: Callable[[], None],
        again: Callable[[], trt.ITensor],
    ) -> None:
        self.itensor, self.offer = itensor, offer
        self.taken_by: str | None = None
        self.decided = False
        self._decide, self._again = decide, again

    @property
    def is_free(self) -> bool:
        """Whether it can be taken."""
        return not self.decided and self.taken_by is None

    @property
    def name(self) -> str:
        """Of the result, unique in the network; of a layer that was taken, one that no tensor has."""
        name = str(self.itensor.name)
        return name if self.taken_by is None else f"{name} (merged into {self.taken_by or 'another layer'})"

    def take(self, path: str) -> None:
        """The layer is another's now, of the module at a path, who gives it weights."""
        assert self.is_free
        self.taken_by = path

    def use(self) -> trt.ITensor:
        """The tensor to read. Raises WeightsError for weights that do not fit their dtype."""
        if self.taken_by is not None:
            self.itensor, self.taken_by, self.decided = self._again(), None, True
        elif not self.decided:
            self._decide()
            self.decided = True
        return self.itensor


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
