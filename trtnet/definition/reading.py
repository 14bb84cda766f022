"""The weights of a network, as it reads them from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trtnet.checkpoint import Checkpoint, cast
from trtnet.checkpoint.finite import NotFinite
from trtnet.graph import Parameter
from trtnet.graph.memory.division import Division, Part
from trtnet.graph.tensors.parameter import Buffer
from trtnet.support.dtypes import DType

Array = np.ndarray[Any, Any]


class Reading:
    """Gives the arrays of parameters, in the dtypes that a network wants: a rank's part, where it has one.

    What is read and not finite is noted; ``lost.warn()`` says it.
    """

    def __init__(self, checkpoint: Checkpoint, keys: Mapping[Parameter, str], division: Division) -> None:
        self._checkpoint = checkpoint
        self._parts: dict[str, Part | None] = {key: division.of(parameter) for parameter, key in keys.items()}
        self._buffers = {key for parameter, key in keys.items() if isinstance(parameter, Buffer)}
        self._lost = NotFinite()

    def __call__(self, key: str, dtype: DType | None) -> Array:
        """The tensor of a key. Raises CheckpointError if it cannot be read, WeightsError if it does not fit dtype."""
        array, part = self._checkpoint[key], self._parts[key]
        if part is not None:
            array = part.of(array)
        self._lost.look(key, array, is_buffer=key in self._buffers)
        return array if dtype is None else cast(array, dtype, key)

    def warn(self) -> None:
        """Says which of what was read was not finite."""
        self._lost.warn(self._checkpoint.name)
