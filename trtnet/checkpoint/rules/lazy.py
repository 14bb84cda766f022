"""Tensors that rules have moved and not yet read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, plain
from trtnet.errors import CheckpointError


@dataclass(frozen=True)
class Lazy:
    """A tensor to be: its spec, and what reads and computes it."""

    spec: TensorSpec
    make: Callable[[], Array]

    def read(self) -> Array:
        """The tensor. Raises ValueError if it is not what its spec says, and what making it raises."""
        array = self.make()
        if (array.shape, array.dtype) != (self.spec.shape, self.spec.dtype.numpy):
            raise ValueError(f"it was to be {self.spec}, and is {list(array.shape)} {array.dtype}")
        return array

    def changed(self, shape: tuple[int, ...], function: Callable[[Array], Array]) -> Lazy:
        """The tensor that a function makes of this one, of the same dtype."""
        return Lazy(TensorSpec(shape, self.spec.dtype), lambda: function(self.read()))


Tensors = dict[str, Lazy]


class Converted(Checkpoint):
    """A checkpoint as rules show it: names and shapes at once, the data when a tensor is asked for."""

    def __init__(self, source: Checkpoint, tensors: Mapping[str, Lazy]) -> None:
        super().__init__(source.name, tensors, source.metadata)
        self._source, self._tensors = source, tensors

    def _spec(self, key: str) -> TensorSpec:
        return self._tensors[key].spec

    def _read(self, key: str) -> Array:
        lazy = self._tensors[key]
        try:
            return plain(lazy.read(), lazy.spec.dtype)
        except ValueError as error:
            raise CheckpointError(f"{self.name}: {key} cannot be made by its rule: {error}") from error

    def _release(self) -> None:
        self._source.close()


def tensors_of(checkpoint: Checkpoint) -> Tensors:
    """Every tensor of a checkpoint, to be read by it."""
    return {key: Lazy(checkpoint.info(key), lambda key=key: checkpoint[key]) for key in checkpoint}  # type: ignore[misc]
