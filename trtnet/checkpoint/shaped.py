"""Checkpoints of files that know no shapes, with the shapes of the model that they are for."""

from __future__ import annotations

import math
from collections.abc import Mapping

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec


class Shaped(Checkpoint):
    """Another checkpoint, of which a tensor has the wanted shape where it has as many elements."""

    def __init__(self, checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__(checkpoint.name, checkpoint, checkpoint.metadata)
        self._checkpoint, self._shapes = checkpoint, shapes

    def _spec(self, key: str) -> TensorSpec:
        spec, wanted = self._checkpoint.info(key), tuple(self._shapes.get(key, ()))
        fits = key in self._shapes and math.prod(wanted) == math.prod(spec.shape)
        return TensorSpec(wanted, spec.dtype) if fits else spec

    def _read(self, key: str) -> Array:
        return self._checkpoint[key].reshape(self._spec(key).shape)

    def _release(self) -> None:
        self._checkpoint.close()


def shaped(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> Checkpoint:
    """A checkpoint with the shapes of a model where its file knows none; the checkpoint itself where it does."""
    return Shaped(checkpoint, shapes) if checkpoint.flat else checkpoint
