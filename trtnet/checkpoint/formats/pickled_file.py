"""Reading tensors out of a pickle that has other things in it, without running any of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, UnreadableError, plain, supported_dtype
from trtnet.checkpoint.formats.pickled.arrays import ArrayParts
from trtnet.checkpoint.formats.pickled.storages import FileStorages, Storages, ZipStorages
from trtnet.checkpoint.formats.pickled.tensors import BUILDERS, Stored, Unreadable, is_stored
from trtnet.checkpoint.state_dicts import choose
from trtnet.support.errors import CheckpointError


class PickledCheckpoint(Checkpoint):
    """Tensors that a pickle describes, each read when it is asked for.

    tensors: key -> what stands for a tensor. storages: where their elements are.
    """

    def __init__(self, name: str, tensors: Mapping[str, Any], storages: Storages) -> None:
        super().__init__(name, tensors)
        self._tensors, self._storages = dict(tensors), storages

    def _spec(self, key: str) -> TensorSpec:
        value = self._tensors[key]
        if isinstance(value, Stored):
            return TensorSpec(value.shape, value.dtype)
        if isinstance(value, ArrayParts) and value.array is not None:
            return TensorSpec(value.array.shape, supported_dtype(value.array.dtype, self.name, key, value.array.shape))
        what = value.what if isinstance(value, Unreadable) else "an array of Python objects"
        raise UnreadableError(self.name, key, what, value.shape)

    def _read(self, key: str) -> Array:
        spec, value = self._spec(key), self._tensors[key]
        if isinstance(value, ArrayParts):
            return plain(value.array, spec.dtype)  # type: ignore[arg-type]
        try:
            return plain(value.view(self._storages.read(value.storage), self._storages.big_endian), spec.dtype)
        # a damaged member fails in zipfile, zlib or numpy, each with its own types
        except Exception as error:
            raise CheckpointError(f"{self.name}: {key} cannot be read: {error}") from error

    def _release(self) -> None:
        self._storages.close()


def open_pickled(path: Path, zipped: bool, key: str | None = None) -> PickledCheckpoint:
    """Opens what torch.save or pickle.dump wrote, as data: nothing that it names is imported or executed.

    zipped: whether it is a zip archive, as torch writes since version 1.6. key: the part to take.
    Raises CheckpointError if it is damaged, or if there is not one state dict in it.
    """
    storages: ZipStorages | FileStorages | None = None
    try:
        if zipped:
            storages = ZipStorages(path)
            root = storages.pickle("data.pkl", BUILDERS)
        else:
            storages = FileStorages(path, BUILDERS)
            root = storages.root
    # a damaged archive or pickle raises almost anything
    except Exception as error:
        if storages is not None:
            storages.close()
        words = str(error).split("\n")[0][:200] or type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read: {words}. It is damaged or cut short: download it again."
        ) from error
    try:
        return PickledCheckpoint(str(path), choose(str(path), root, key, is_stored), storages)
    except CheckpointError:
        storages.close()
        raise
