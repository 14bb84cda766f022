"""Reading a checkpoint of several files through its Hugging Face index (*.index.json)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec
from trtnet.errors import CheckpointError


class ShardedCheckpoint(Checkpoint):
    """Several checkpoints as one: each key is read from the shard that the index names for it."""

    def __init__(self, name: str, shards: Mapping[str, Checkpoint]) -> None:
        self._shards = dict(shards)
        super().__init__(name, shards)

    def _spec(self, key: str) -> TensorSpec:
        return self._shards[key].info(key)

    def _read(self, key: str) -> Array:
        return self._shards[key][key]

    def _release(self) -> None:
        for shard in self._shards.values():
            shard.close()


def open_sharded(path: Path, open_file: Callable[[Path], Checkpoint]) -> ShardedCheckpoint:
    """Opens the shards of an index, each once and with `open_file`.

    Raises CheckpointError if the index is not valid, names a file outside its folder, or a shard is missing,
    unreadable, or lacks a tensor that the index places in it.
    """
    weight_map = _weight_map(path)
    shards = {name: open_file(path.parent / name) for name in sorted(set(weight_map.values()))}
    for key, name in weight_map.items():
        if key not in shards[name]:
            raise CheckpointError(f"{path} places {key} in {name}, which lacks it. Download both again.")
    return ShardedCheckpoint(str(path), {key: shards[name] for key, name in weight_map.items()})


def _weight_map(path: Path) -> dict[str, str]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a JSON index: {error}") from error
    weight_map = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(weight_map, dict):
        raise CheckpointError(f'{path} has no "weight_map" of tensor names to files: this is no checkpoint index')
    for key, name in weight_map.items():
        if not isinstance(name, str) or Path(name).name != name or name.endswith(".json"):
            raise CheckpointError(f"{path} places {key} in {name!r}; a shard is a weight file beside its index")
    return weight_map
