"""Writing .safetensors, tensor by tensor, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import BinaryIO

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, combine_digests, is_text, raw_bytes, tensor_digest
from trtnet.checkpoint.casting import cast
from trtnet.checkpoint.finite import NotFinite
from trtnet.checkpoint.formats.safetensors_file import DTYPES
from trtnet.checkpoint.reading import Source, open_checkpoint
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import CheckpointError
from trtnet.support.files import atomic_write

DIGEST = "trtnet.digest"

_NAMES = {dtype: name for name, dtype in DTYPES.items()}

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""


def save_safetensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Writes named arrays, or a lazy Checkpoint, as a .safetensors file; one tensor is in memory at a time.

    The same content always makes the same file, in any order. `metadata` goes into the header, with
    :meth:`Checkpoint.digest` of the content under ``trtnet.digest``.
    Raises CheckpointError for a tensor that cannot be read or that the format cannot hold, FileError if `path`
    cannot be written; either way `path` stays as it was.
    """
    checkpoint = open_checkpoint(tensors)
    specs = _ordered_specs(checkpoint)
    texts = _checked_metadata(metadata or {})
    with atomic_write(path) as file:
        # The digest is known last and stands first; a placeholder of its length keeps its room.
        file.write(_header(specs, texts | {DIGEST: "0" * 64}))
        digest = _write_data(file, checkpoint, specs, progress)
        file.seek(0)
        file.write(_header(specs, texts | {DIGEST: digest}))


def convert(
    source: Source,
    out_path: str | os.PathLike[str],
    dtype: DTypeLike | None = None,
    progress: Progress | None = None,
) -> None:
    """Streams any readable checkpoint into a .safetensors file, with its metadata.

    dtype: what floating tensors are cast to, None to keep theirs; integers and bools are kept always.
    Raises what open_checkpoint, cast and save_safetensors raise; `out_path` then stays as it was.
    """
    checkpoint = open_checkpoint(source)
    try:
        tensors = checkpoint if dtype is None else _CastCheckpoint(checkpoint, dtype)
        save_safetensors(out_path, tensors, checkpoint.metadata, progress)
    finally:
        if checkpoint is not source:
            checkpoint.close()


class _CastCheckpoint(Checkpoint):
    """Another checkpoint with its floating tensors cast as they are read."""

    def __init__(self, checkpoint: Checkpoint, dtype: DTypeLike) -> None:
        super().__init__(checkpoint.name, checkpoint, checkpoint.metadata)
        self._checkpoint = checkpoint
        self._dtype = dtypes.get(dtype)

    def _spec(self, key: str) -> TensorSpec:
        spec = self._checkpoint.info(key)
        return TensorSpec(spec.shape, self._dtype if spec.dtype.is_floating else spec.dtype)

    def _read(self, key: str) -> Array:
        return cast(self._checkpoint[key], self._spec(key).dtype, key)


def _ordered_specs(checkpoint: Checkpoint) -> dict[str, TensorSpec]:
    specs = {key: checkpoint.info(key) for key in checkpoint}
    for key, spec in specs.items():
        if spec.dtype not in _NAMES:
            raise CheckpointError(f"{checkpoint.name}: {key} is {spec.dtype}, which a .safetensors file cannot hold")
        if key == "__metadata__":
            raise CheckpointError(f"{checkpoint.name}: a .safetensors file cannot hold a tensor named {key}")
    # Wide elements first, so that every tensor is aligned and can be memory-mapped.
    return dict(sorted(specs.items(), key=lambda item: (-item[1].dtype.numpy.itemsize, item[0])))


def _checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    for key, text in metadata.items():
        if not is_text(key) or not is_text(text):
            raise CheckpointError(f"the metadata {key!r}: {text!r} is not text; .safetensors metadata is str to str")
    return dict(metadata)


def _header(specs: Mapping[str, TensorSpec], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    begin = 0
    for key, spec in specs.items():
        end = begin + spec.nbytes
        entries[key] = {"dtype": _NAMES[spec.dtype], "shape": spec.shape, "data_offsets": (begin, end)}
        begin = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write_data(
    file: BinaryIO, checkpoint: Checkpoint, specs: Mapping[str, TensorSpec], progress: Progress | None
) -> str:
    """Writes every tensor and returns the digest of them all; warns of those that are not finite."""
    digests: dict[str, str] = {}
    lost = NotFinite()
    done, total = 0, sum(spec.nbytes for spec in specs.values())
    for key, spec in specs.items():
        array = checkpoint[key]
        if (array.shape, array.dtype) != (spec.shape, spec.dtype.numpy):
            found = f"{list(array.shape)} {array.dtype}"
            raise CheckpointError(f"{checkpoint.name}: {key} was declared as {spec}, but read as {found}")
        file.write(raw_bytes(array))
        digests[key] = tensor_digest(key, array)
        lost.look(key, array)
        done += spec.nbytes
        if progress:
            progress(done, total)
    lost.warn(checkpoint.name)
    return combine_digests(digests)
