"""Reading a checkpoint of several files through its Hugging Face index (*.index.json)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec
from trtnet.support import json_text
from trtnet.support.errors import CheckpointError

SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.\w+)$")
"""The name of a shard: its stem, its number, how many there are, and its suffix."""


class ShardedCheckpoint(Checkpoint):
    """Several checkpoints as one: each key is read from the shard that the index names for it."""

    def __init__(self, name: str, shards: Mapping[str, Checkpoint]) -> None:
        self._shards = dict(shards)
        super().__init__(name, shards, _merged({id(shard): shard for shard in shards.values()}.values()))

    @classmethod
    def joined(cls, name: str, shards: Sequence[Checkpoint]) -> ShardedCheckpoint:
        """Every tensor of all shards. Raises CheckpointError for a key that two have."""
        places: dict[str, Checkpoint] = {}
        for shard in shards:
            for key in shard:
                if key in places:
                    raise CheckpointError(f"{name}: {key} is in {places[key].name} and in {shard.name}")
                places[key] = shard
        return cls(name, places)

    def _stored_dtype(self, key: str) -> str:
        return self._shards[key]._stored_dtype(key)

    def block_type(self, key: str) -> str:
        return self._shards[key].block_type(key)

    def blocks(self, key: str) -> Array:
        return self._shards[key].blocks(key)

    def _spec(self, key: str) -> TensorSpec:
        return self._shards[key].info(key)

    def _read(self, key: str) -> Array:
        return self._shards[key][key]

    def _release(self) -> None:
        for shard in self._shards.values():
            shard.close()


def open_sharded(path: Path, open_file: Callable[[Path], Checkpoint]) -> ShardedCheckpoint:
    """Opens the shards of an index, each once and with `open_file`.

    A tensor of a shard that the index does not name belongs to the checkpoint too, as for transformers: a scale that
    is left out would be other numbers.
    Raises CheckpointError if the index is not valid, names a file outside its folder or not all those of one kind
    there, or a shard is missing, unreadable, or lacks a tensor that the index places in it; or if two have one of the
    same name that the index does not place.
    """
    weight_map = _weight_map(path)
    _check_names(path, set(weight_map.values()))
    shards = {name: open_file(path.parent / name) for name in sorted(set(weight_map.values()))}
    for key, name in weight_map.items():
        if key not in shards[name]:
            raise CheckpointError(f"{path} places {key} in {name}, which lacks it. Download both again.")
    places = {key: shards[name] for key, name in weight_map.items()}
    for shard in shards.values():
        for key in shard:
            if places.setdefault(key, shard) is not shard and key not in weight_map:
                raise CheckpointError(
                    f"{path} does not name {key}, which is in {places[key].name} and in {shard.name}."
                    f" Download the index again."
                )
    return ShardedCheckpoint(str(path), places)


def _check_names(path: Path, names: set[str]) -> None:
    """Raises CheckpointError for a shard beside the index, of a kind that it names, that it does not name."""
    kinds = {_kind(found): name for name in names if (found := SHARD.match(name))}
    for file in sorted(path.parent.iterdir()) if kinds else []:
        found = SHARD.match(file.name)
        if found and _kind(found) in kinds and file.name not in names:
            named = kinds[_kind(found)]
            raise CheckpointError(f"{path} names {named}, not {file.name} beside it. Download the index again.")


def _kind(found: re.Match[str]) -> tuple[str, ...]:
    return found[1], found[3], found[4]


def open_shards(
    folder: Path, names: Sequence[str], count: int, open_file: Callable[[Path], Checkpoint]
) -> ShardedCheckpoint:
    """Opens the shards of a folder without an index, ``NAME-00001-of-00003.safetensors`` and so on, all of them.

    Raises CheckpointError where one is missing or two have a tensor of the same name.
    """
    if len(names) != count:
        raise CheckpointError(
            f"{folder} has {len(names)} of {count} shards: {', '.join(names[:3])}"
            f"{', ...' if len(names) > 3 else ''}. Download the others too"
        )
    return ShardedCheckpoint.joined(str(folder), [open_file(folder / name) for name in names])


def _merged(shards: Iterable[Checkpoint]) -> dict[str, str]:
    """The metadata of shards: the first that has a name says what it is; of lists in JSON, one of all."""
    found: dict[str, str] = {}
    for shard in shards:
        for name, value in shard.metadata.items():
            found[name] = _both(found[name], value) if found.get(name, value) != value else value
    return found


def _both(first: str, second: str) -> str:
    try:
        lists = json_text.loads(first), json_text.loads(second)
    except ValueError:
        return first
    if not all(isinstance(each, list) for each in lists):
        return first
    return json.dumps(list(dict.fromkeys(str(one) for each in lists for one in each)))


def _weight_map(path: Path) -> dict[str, str]:
    try:
        document = json_text.loads(path.read_bytes(), distinct=True)
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a JSON index: {error}") from error
    weight_map = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(weight_map, dict):
        raise CheckpointError(f'{path} has no "weight_map" of tensor names to files: this is not a checkpoint index')
    for key, name in weight_map.items():
        if not isinstance(name, str) or Path(name).name != name or name.endswith(".json"):
            raise CheckpointError(f"{path} places {key} in {name!r}; a shard is a weight file beside its index")
    return weight_map
