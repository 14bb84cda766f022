"""Reading what torch.save wrote, as weights and nothing else."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.checkpoint.formats.pickled.machine import DEEPEST_TUPLE, Machine
from trtnet.checkpoint.formats.pickled.storages import LARGEST_PICKLE, FileStorages, ZipStorages
from trtnet.checkpoint.formats.pickled_file import open_pickled
from trtnet.checkpoint.memory import MappingCheckpoint, is_array, is_tensor
from trtnet.checkpoint.state_dicts import choose
from trtnet.support.errors import CheckpointError, DependencyError

_TUPLES = (b"\x85", b"\x86", b"\x87", b"t")
"""The opcodes that make a tuple."""


def open_torch(path: Path, key: str | None = None) -> Checkpoint:
    """Opens a file of torch.save, memory-mapped where its format allows (torch 1.6 and later).

    torch.load(weights_only=True) reads it. A file with other objects in it, which torch then refuses (whole modules,
    arguments of a training script), is read as data: of classes that are not known there are notes, and nothing that it
    names is imported or executed. The state dict is the file's object, or the only one in it; key: the path of the one
    to take, such as ``"model_ema"``.
    Raises CheckpointError if the file is damaged or holds no state dict, or several; DependencyError without torch.
    """
    try:
        loaded = _load(path)
    except CheckpointError as refused:
        return _open_as_data(path, key, refused)
    chosen = choose(str(path), loaded, key, is_array)
    return _Archived(path, chosen) if zipfile.is_zipfile(path) else MappingCheckpoint(str(path), chosen)


class _Archived(MappingCheckpoint):
    """Tensors that torch has mapped from a zip archive, without a look at its checksums; here each storage gets one."""

    def __init__(self, path: Path, tensors: Mapping[str, Any]) -> None:
        super().__init__(str(path), tensors)
        with contextlib.closing(ZipStorages(path)) as storages:
            self._sums = storages.checksums()
        self._looked_at: set[int] = set()

    def _read(self, key: str) -> Array:
        value = self._tensors[key]
        array = super()._read(key)
        if is_tensor(value) and self._sums:
            self._look(key, value.untyped_storage())
        return array

    def _look(self, key: str, storage: Any) -> None:
        import torch

        if storage.nbytes() == 0 or storage.data_ptr() in self._looked_at:
            return
        content = torch.empty(0, dtype=torch.uint8).set_(storage).numpy()
        if (storage.nbytes(), zlib.crc32(content.data)) not in self._sums:
            raise CheckpointError(
                f"{self.name}: {key} cannot be read: its storage has another checksum (CRC-32) than any in the"
                f" archive. It is damaged: download it again."
            )
        self._looked_at.add(storage.data_ptr())


def _open_as_data(path: Path, key: str | None, refused: CheckpointError) -> Checkpoint:
    try:
        return open_pickled(path, zipfile.is_zipfile(path), key)
    except CheckpointError as error:
        raise CheckpointError(f"{error}\n{refused.__cause__ and _explain(refused.__cause__)}") from refused.__cause__


def _load(path: Path) -> object:
    try:
        import torch
    except ImportError as error:
        raise DependencyError(
            f"reading {path} needs torch: pip install 'trtnet[torch]'\n"
            f"or convert the file to .safetensors on a machine that has torch: trtnet convert"
        ) from error
    mapped = zipfile.is_zipfile(path)
    _check(path, mapped)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    # On a damaged file torch raises almost anything: RuntimeError, EOFError, KeyError, AssertionError, ...
    except Exception as error:
        raise CheckpointError(f"torch cannot read {path}") from error


def _check(path: Path, zipped: bool) -> None:
    """Raises CheckpointError for a damaged archive, and for a pickle with tuples in each other so deep that torch's
    reader would crash.

    It takes the hash of what is a key of a dict, and Python's hash of a deep tuple overflows the stack of C.
    """
    try:
        if zipped:
            with contextlib.closing(ZipStorages(path)) as storages:
                if storages.big_endian:
                    raise CheckpointError("torch would turn its bytes around, of which then no checksum is known")
                if storages.packed:
                    raise CheckpointError("torch would take its members as they are, and they are compressed")
                content = storages.content("data.pkl", 1 << 40)
        else:
            content = path.read_bytes()[:LARGEST_PICKLE]
        if sum(map(content.count, _TUPLES)) > DEEPEST_TUPLE:
            if zipped:
                Machine({}, lambda identity: identity).run(io.BytesIO(content))
            else:
                FileStorages(path, {}).close()
    # a damaged file raises almost anything
    except Exception as error:
        raise CheckpointError(f"torch would not read {path}") from error


def _explain(error: BaseException) -> str:
    """Why torch did not read it either."""
    words = str(error)
    forbidden = re.search(r"GLOBAL ([\w.]+)", words)
    if forbidden is None and "weights_only" not in words and "Weights only" not in words:
        return f"torch says: {_first_line(error)}"
    what = f"it asks for {forbidden.group(1)}" if forbidden else "it has other objects than tensors"
    return f"The file is not plain weights: {what}. It was read as data: nothing of it was executed."


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]
