"""Reading folders of torch.distributed.checkpoint, on one machine and without torch.

``.metadata`` is a pickle that says of each tensor its shape, its chunks, and where each chunk is; a chunk is a tensor
as torch.save writes it, at some offset of a .distcp file. The pickle is read as data.
"""

from __future__ import annotations

import io
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

METADATA = ".metadata"
_ADVICE = (
    "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pth makes one file of it"
    " (dcp_to_torch_save in Python)"
)


@dataclass(frozen=True)
class _Chunk:
    """A part of a tensor. offsets: where it begins in it. file, begin, length: where its bytes are."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    file: str
    begin: int
    length: int


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
        covered = 0
        try:
            for chunk in tensor.chunks:
                part = self._chunk(chunk)
                if part.shape != chunk.sizes or part.dtype != whole.dtype:
                    raise ValueError(f"a chunk is {list(part.shape)} {part.dtype} in place of {list(chunk.sizes)}")
                whole[tuple(slice(o, o + n) for o, n in zip(chunk.offsets, chunk.sizes, strict=True))] = part
                covered += part.size
        # damaged chunks fail in zipfile, numpy or the pickle, each with its own types
        except Exception as error:
            raise CheckpointError(f"{self.name}: {key} cannot be read: {error}. {_ADVICE}") from error
        if covered != whole.size:
            raise CheckpointError(f"{self.name}: the chunks of {key} cover {covered:,} of {whole.size:,} elements")
        return whole

    def _chunk(self, chunk: _Chunk) -> Array:
        with (self._folder / chunk.file).open("rb") as file:
            file.seek(chunk.begin)
            content = file.read(chunk.length)
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
        places[at] = name, int(where["offset"]), int(where["length"])
    return {
        key: _tensor(key, entry.attributes(), places)
        for key, entry in metadata["state_dict_metadata"].items()
        if isinstance(entry, Object) and "chunks" in entry.attributes()
    }


def _tensor(key: str, entry: Mapping[str, Any], places: Mapping[Any, tuple[str, int, int]]) -> _Tensor:
    properties = entry["properties"].state
    dtype = properties[0] if isinstance(properties, tuple) else properties["dtype"]
    chunks = []
    for chunk in entry["chunks"]:
        has = chunk.attributes()
        offsets, sizes = tuple(map(int, has["offsets"])), tuple(map(int, has["sizes"]))
        file, begin, length = places[key, offsets]
        chunks.append(_Chunk(offsets, sizes, file, begin, length))
    return _Tensor(tuple(map(int, entry["size"])), dtype.name if isinstance(dtype, Global) else "", tuple(chunks))


def _index(index: Object) -> tuple[str, tuple[int, ...] | None]:
    has = index.attributes()
    offset = has.get("offset")
    return str(has["fqn"]), None if offset is None else tuple(map(int, offset))
