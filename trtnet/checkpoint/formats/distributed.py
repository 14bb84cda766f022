"""Reading folders of torch.distributed.checkpoint, on one machine and without torch.

``.metadata`` is a pickle that says of each tensor its shape, its chunks, and where each chunk is; a chunk is a tensor
as torch.save writes it, at some offset of a .distcp file. The pickle is read as data.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, UnreadableError
from trtnet.checkpoint.formats.pickled.machine import Machine
from trtnet.checkpoint.formats.pickled.objects import Global, Object
from trtnet.checkpoint.formats.pickled.storages import ZipStorages
from trtnet.checkpoint.formats.pickled.tensors import BUILDERS, Stored
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

METADATA = ".metadata"
_ADVICE = (
    "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pth makes one file of it"
    " (dcp_to_torch_save in Python)"
)


_Index = tuple[str, tuple[int, ...] | None]
"""The name of a tensor, and where a chunk of it begins; of what is no tensor None."""


@dataclass(frozen=True)
class _Chunk:
    """A part of a tensor. offsets: where it begins in it. file, begin, length: where its bytes are."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    file: str
    begin: int
    length: int

    def ends(self) -> tuple[int, ...]:
        return tuple(begin + size for begin, size in zip(self.offsets, self.sizes, strict=True))


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[_Chunk, ...]


class DistributedCheckpoint(Checkpoint):
    """The tensors of a folder of torch.distributed.checkpoint; a tensor's chunks are put together when it is read."""

    def __init__(self, folder: Path, tensors: Mapping[str, _Tensor]) -> None:
        super().__init__(str(folder), tensors)
        self._folder, self._tensors = folder, dict(tensors)

    def _spec(self, key: str) -> TensorSpec:
        tensor = self._tensors[key]
        known = next((dtype for dtype in dtypes.TABLE if dtype.name == tensor.dtype and dtype.bits >= 8), None)
        if known is None:
            raise UnreadableError(self.name, key, tensor.dtype, tensor.shape)
        return TensorSpec(tensor.shape, known)

    def _read(self, key: str) -> Array:
        spec, tensor = self._spec(key), self._tensors[key]
        whole = np.empty(spec.shape, spec.dtype.numpy)
        try:
            _check_cover(tensor)
            for chunk in tensor.chunks:
                part = self._chunk(chunk)
                if part.shape != chunk.sizes or part.dtype != whole.dtype:
                    raise ValueError(f"a chunk is {list(part.shape)} {part.dtype} in place of {list(chunk.sizes)}")
                whole[tuple(slice(o, o + n) for o, n in zip(chunk.offsets, chunk.sizes, strict=True))] = part
        # damaged chunks fail in zipfile, numpy or the pickle, each with its own types
        except Exception as error:
            raise CheckpointError(f"{self.name}: {key} cannot be read: {error}. {_ADVICE}") from error
        return whole

    def _chunk(self, chunk: _Chunk) -> Array:
        with (self._folder / chunk.file).open("rb") as file:
            file.seek(chunk.begin)
            content = file.read(chunk.length)
        if len(content) != chunk.length:
            raise ValueError(f"{chunk.file} ends before a chunk of it")
        storages = ZipStorages(io.BytesIO(content))
        found = storages.pickle("data.pkl", BUILDERS)
        if not isinstance(found, Stored):
            raise ValueError("a chunk is not a tensor")
        native: Array = found.view(storages.read(found.storage), storages.big_endian).astype(found.dtype.numpy)
        return native


def open_distributed(folder: Path, key: str | None = None) -> DistributedCheckpoint:
    """Opens a folder of torch.distributed.checkpoint. key: take what begins with ``key.``, without that.

    Raises CheckpointError if its metadata cannot be read, which names what makes one file of it.
    """
    try:
        with (folder / METADATA).open("rb") as file:
            root = Machine(BUILDERS, lambda identity: identity).run(io.BytesIO(file.read()))
        tensors = _tensors(root)
    # a damaged pickle raises almost anything
    except Exception as error:
        raise CheckpointError(f"{folder}/{METADATA} cannot be read: {error}. {_ADVICE}") from error
    if key is not None:
        chosen = {name.removeprefix(f"{key}."): t for name, t in tensors.items() if name.startswith(f"{key}.")}
        if not chosen:
            begins = ", ".join(sorted({name.partition(".")[0] for name in tensors})[:12])
            raise CheckpointError(f"{folder} has no part {key!r}; its keys begin with {begins}")
        tensors = chosen
    return DistributedCheckpoint(folder, tensors)


def _tensors(root: Any) -> dict[str, _Tensor]:
    metadata = root.attributes()
    places = {}
    for index, info in metadata["storage_data"].items():
        at, where = _index(index), info.attributes()
        if where.get("transform_descriptors"):
            raise ValueError("its chunks are compressed")
        name = where["relative_path"]
        if Path(name).name != name:
            raise ValueError(f"it places a chunk in {name!r}, outside of its folder")
        if at in places:
            raise ValueError(f"it places {at[0]} twice")
        places[at] = name, int(where["offset"]), int(where["length"])
    _check_places(places)
    entries = metadata["state_dict_metadata"]
    if unknown := sorted({key for key, _ in places} - set(entries)):
        raise ValueError(f"it places {unknown[0]}, and does not say what that is")
    return {
        key: _tensor(key, entry.attributes(), places)
        for key, entry in entries.items()
        if not (isinstance(entry, Object) and entry.name.endswith(".BytesStorageMetadata"))
    }


def _check_places(places: Mapping[_Index, tuple[str, int, int]]) -> None:
    """Raises ValueError where two things are at one place of a file: one of them would be read as the other."""
    end, last, before = 0, "", ""
    for file, begin, length, key in sorted((*place, key) for (key, _), place in places.items()):
        if file != before:
            end, last, before = 0, "what is before it", file
        if begin < end or length < 0:
            raise ValueError(f"it places {key} at {begin:,} of {file}, {counted(length, 'byte')} long, within {last}")
        end, last = begin + length, key


def _check_cover(tensor: _Tensor) -> None:
    """Raises ValueError unless the chunks of a tensor have each of its elements once."""
    chunks = sorted(tensor.chunks, key=lambda chunk: chunk.offsets)
    for number, chunk in enumerate(chunks):
        ends = chunk.ends()
        within = (0 <= begin <= end <= size for begin, end, size in zip(chunk.offsets, ends, tensor.shape, strict=True))
        if not all(within):
            raise ValueError(
                f"its chunk {list(chunk.sizes)} at {list(chunk.offsets)} is outside of {list(tensor.shape)}"
            )
        for other in chunks[number + 1 :]:
            if ends and other.offsets[0] >= ends[0]:
                break  # and so are all behind it
            common = zip(map(max, chunk.offsets, other.offsets), map(min, ends, other.ends()), strict=True)
            if all(begin < end for begin, end in common):
                raise ValueError(f"its chunks at {list(chunk.offsets)} and {list(other.offsets)} overlap")
    covered, size = sum(math.prod(chunk.sizes) for chunk in chunks), math.prod(tensor.shape)
    if covered != size:
        raise ValueError(f"its chunks cover {covered:,} of {size:,} elements")


def _tensor(key: str, entry: Mapping[str, Any], places: Mapping[_Index, tuple[str, int, int]]) -> _Tensor:
    properties = entry["properties"].state
    dtype = properties[0] if isinstance(properties, tuple) else properties["dtype"]
    chunks = []
    for chunk in entry["chunks"]:
        has = chunk.attributes()
        offsets, sizes = tuple(map(int, has["offsets"])), tuple(map(int, has["sizes"]))
        file, begin, length = places[key, offsets]
        chunks.append(_Chunk(offsets, sizes, file, begin, length))
    return _Tensor(tuple(map(int, entry["size"])), dtype.name if isinstance(dtype, Global) else "", tuple(chunks))


def _index(index: Object) -> _Index:
    has = index.attributes()
    offset = has.get("offset")
    return str(has["fqn"]), None if offset is None else tuple(map(int, offset))
