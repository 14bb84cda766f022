"""Reading CTranslate2's model.bin: named arrays one after the other, rows of integers with their scales as float32.

Source: the functions that write it, ctranslate2.specs.model_spec of the package ctranslate2.
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, plain
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

DTYPES = (dtypes.float32, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.float16, dtypes.bfloat16)
"""Element types by their number in the file."""
_VERSIONS = range(4, 7)
_SCALE = "_scale"


class _Entry(NamedTuple):
    shape: tuple[int, ...]
    dtype: int
    begin: int
    nbytes: int


class CTranslate2File(Checkpoint):
    """A model.bin, memory-mapped; weights that were quantized to int8 or int16 become float32 when they are read.

    spec: what the file says it is, "WhisperSpec". settings: its numbers without a dimension, such as
    ``encoder/num_heads``.
    Raises CheckpointError for a damaged file, and for a version that is not known.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.spec, entries = _entries(_Reader(self._map))
        except (struct.error, UnicodeDecodeError, ValueError, IndexError) as error:
            raise CheckpointError(f"{path} is not a readable model.bin of CTranslate2: {error}") from error
        self.settings = {key: self._setting(entry) for key, entry in entries.items() if not entry.shape}
        self._all = {key: entry for key, entry in entries.items() if entry.shape}
        own_scales = {f"{key}{_SCALE}" for key in entries}
        self._scales = {key: entry for key, entry in entries.items() if key in own_scales}
        super().__init__(str(path), [key for key in self._all if key not in own_scales])

    def _setting(self, entry: _Entry) -> float:
        return float(self._array(entry).reshape(()))

    def _array(self, entry: _Entry) -> Array:
        stored = DTYPES[entry.dtype].numpy
        return np.frombuffer(self._map, stored, math.prod(entry.shape), entry.begin).reshape(entry.shape)

    def _is_scaled(self, key: str) -> bool:
        return f"{key}{_SCALE}" in self._scales

    def _stored_dtype(self, key: str) -> str:
        return DTYPES[self._all[key].dtype].name if self._is_scaled(key) else ""

    def _spec(self, key: str) -> TensorSpec:
        entry = self._all[key]
        return TensorSpec(entry.shape, dtypes.float32 if self._is_scaled(key) else DTYPES[entry.dtype])

    def _read(self, key: str) -> Array:
        values = self._array(self._all[key])
        if not self._is_scaled(key):
            return plain(values, self._spec(key).dtype)
        scale = self._array(self._scales[f"{key}{_SCALE}"]).astype(np.float32)
        rows = scale.reshape(-1, *[1] * (values.ndim - 1)) if scale.size > 1 else scale.reshape(())
        return values.astype(np.float32) / rows

    def _release(self) -> None:
        self._all = {}


class _Reader:
    """Numbers and names of the file, in their order."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.place = data, 0

    def number(self, kind: str) -> int:
        (found,) = struct.unpack_from(f"<{kind}", self.data, self.place)
        self.place += struct.calcsize(f"<{kind}")
        return int(found)

    def name(self) -> str:
        length = self.number("H")
        text = self.data[self.place : self.place + length]
        if len(text) != length or not text.endswith(b"\0"):
            raise ValueError("a name in it is cut short")
        self.place += length
        return text[:-1].decode()

    def entry(self) -> _Entry:
        shape = tuple(self.number("I") for _ in range(self.number("B")))
        dtype, nbytes = self.number("B"), self.number("I")
        found = _Entry(shape, dtype, self.place, nbytes)
        self.place += nbytes
        if dtype >= len(DTYPES):
            raise ValueError(f"an array of it, {list(shape)}, is of the unknown type number {dtype}")
        width = DTYPES[dtype].bits // 8
        if self.place > len(self.data) or nbytes != width * math.prod(shape):
            raise ValueError(f"an array of it, {list(shape)}, does not have its {counted(nbytes, 'byte')}")
        return found


def _entries(reader: _Reader) -> tuple[str, dict[str, _Entry]]:
    version = reader.number("I")
    if version not in _VERSIONS:
        raise ValueError(f"it is of version {version}; {_VERSIONS[0]} to {_VERSIONS[-1]} are known")
    spec, _revision = reader.name(), reader.number("I")
    found: dict[str, _Entry] = {}
    for _ in range(reader.number("I")):
        name = reader.name()
        if name in found:
            raise ValueError(f"it has {name} twice")
        found[name] = reader.entry()
    for _ in range(reader.number("I")):
        alias, name = reader.name(), reader.name()
        if alias in found:
            raise ValueError(f"it has {alias} twice")
        if name not in found:
            raise ValueError(f"{alias} is another name of {name}, which is not in it")
        found[alias] = found[name]
    if reader.place != len(reader.data):
        raise ValueError(f"it has {counted(len(reader.data), 'byte')}, its arrays end at {reader.place:,}")
    return spec, found


def begins_like(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a model.bin: a version, and the name of what it is."""
    if len(start) < 8 or int.from_bytes(start[:4], "little") not in range(2, 16):
        return False
    length = int.from_bytes(start[4:6], "little")
    name = start[6 : 6 + length]
    return name.endswith(b"Spec\0") and name[:-1].isalnum()
