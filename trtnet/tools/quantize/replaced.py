"""A checkpoint with other values of some of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtnet.checkpoint import Checkpoint
from trtnet.checkpoint.base import Array, TensorSpec
from trtnet.support import dtypes


class Replaced(Checkpoint):
    """The tensors of `keys`; where `arrays` has one, that."""

    def __init__(self, checkpoint: Checkpoint, keys: Sequence[str], arrays: Mapping[str, Array]) -> None:
        super().__init__(checkpoint.name, keys)
        self._checkpoint, self._arrays = checkpoint, arrays

    def _spec(self, key: str) -> TensorSpec:
        if key not in self._arrays:
            return self._checkpoint.info(key)
        return TensorSpec(self._arrays[key].shape, dtypes.get(self._arrays[key].dtype))

    def _read(self, key: str) -> Array:
        return self._arrays[key] if key in self._arrays else self._checkpoint[key]
