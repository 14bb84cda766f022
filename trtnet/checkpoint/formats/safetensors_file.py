"""Reading .safetensors: the library checks the header, numpy maps the data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, plain, raw_bytes, supported_dtype
from trtnet.support import dtypes, json_text
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

DTYPES = {
    "F64": dtypes.float64,
    "F32": dtypes.float32,
    "F16": dtypes.float16,
    "BF16": dtypes.bfloat16,
    "F8_E4M3": dtypes.float8_e4m3fn,
    "F8_E5M2": dtypes.float8_e5m2,
    "F8_E8M0": dtypes.float8_e8m0fnu,
    "I64": dtypes.int64,
    "I32": dtypes.int32,
    "I16": dtypes.int16,
    "I8": dtypes.int8,
    "U8": dtypes.uint8,
    "BOOL": dtypes.bool_,
}
"""The format's name of an element type -> ours."""


class SafetensorsFile(Checkpoint):
    """A memory-mapped .safetensors file; opening it reads the header only.

    Raises CheckpointError if the header is not valid or does not cover the file exactly.
    """

    def __init__(self, path: Path) -> None:
        # The library's own numpy reader copies every tensor and knows no float8, so it is used for its strict
        # validation (sizes, offsets, overlaps, dtypes against shapes) and the data is mapped here.
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata()
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is not a readable safetensors file: {_explain(path, error)}") from error
        try:
            self._entries, self._start = _read_header(path)
        except ValueError as error:
            raise CheckpointError(f"{path} is damaged: {error} in its header. Download or write it again.") from error
        self._entries.pop("__metadata__", None)
        self._bytes: Array | None = np.memmap(path, np.uint8, mode="r")
        super().__init__(str(path), self._entries, metadata)

    def _spec(self, key: str) -> TensorSpec:
        entry = self._entries[key]
        shape = tuple(entry["shape"])
        return TensorSpec(shape, DTYPES.get(entry["dtype"]) or supported_dtype(entry["dtype"], self.name, key, shape))

    def _read(self, key: str) -> Array:
        assert self._bytes is not None
        spec = self._spec(key)
        begin, end = (self._start + offset for offset in self._entries[key]["data_offsets"])
        try:
            return plain(self._bytes[begin:end].view(spec.dtype.numpy).reshape(spec.shape), spec.dtype)
        except ValueError as error:
            raise CheckpointError(f"{self.name}: {key} has the impossible shape {spec}: {error}") from error

    def pieces(self, key: str, elements: int) -> Iterator[Array]:
        self._check(key)
        spec = self._spec(key)
        begin = self._start + self._entries[key]["data_offsets"][0]
        count, width = math.prod(spec.shape), spec.dtype.numpy.itemsize
        # read and not mapped: pages that a map has touched stay in the process's memory
        with Path(self.name).open("rb", buffering=0) as file:
            for start in range(0, count, elements):
                piece = np.empty(min(elements, count - start), spec.dtype.numpy)
                file.seek(begin + start * width)
                if file.readinto(raw_bytes(piece)) != piece.nbytes:
                    raise CheckpointError(f"{self.name}: {key} became shorter while it was read")
                yield piece

    def _release(self) -> None:
        self._bytes = None


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header's entries and the offset of the data; for a file whose header is known to be sane."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json_text.loads(file.read(length), distinct=True), 8 + length


def _explain(path: Path, error: Exception) -> str:
    """The library's words, and the cause in figures where the header can be read at all."""
    words = str(error).removeprefix("Error while deserializing header: ")
    size = path.stat().st_size
    advice = "Download or write it again."
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        return f"{words}; it has {counted(size, 'byte')}, its header alone claims {length:,}. {advice}"
    try:
        entries, start = _read_header(path)
        entries.pop("__metadata__", None)
        promised = start + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        wrong = [key for key, entry in entries.items() if not _consistent(entry)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return f"{words}. {advice}"
    if wrong:
        return f"{words}; {wrong[0]} has another size than its shape and dtype: {entries[wrong[0]]}. {advice}"
    if promised != size:
        return f"{words}; its header promises {counted(promised, 'byte')}, the file has {size:,}. {advice}"
    return f"{words}. {advice}"


def _consistent(entry: dict[str, Any]) -> bool:
    dtype = DTYPES.get(entry["dtype"])
    begin, end = entry["data_offsets"]
    return dtype is None or math.prod(entry["shape"]) * dtype.numpy.itemsize == end - begin
