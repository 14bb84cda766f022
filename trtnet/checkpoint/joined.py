"""Two checkpoints as one."""

from __future__ import annotations

from collections.abc import Mapping

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec


class Joined(Checkpoint):
    """A checkpoint, and another one's tensors of the keys that it lacks."""

    def __init__(self, first: Checkpoint, second: Checkpoint) -> None:
        super().__init__(f"{first.name} with {second.name}", (*first, *second), first.metadata)
        self._homes: Mapping[str, Checkpoint] = {**dict.fromkeys(second, second), **dict.fromkeys(first, first)}
        self._both = first, second

    def _spec(self, key: str) -> TensorSpec:
        return self._homes[key].info(key)

    def _read(self, key: str) -> Array:
        return self._homes[key][key]

    def _release(self) -> None:
        for each in self._both:
            each.close()
