"""Reading and writing .wts, the text files of tensorrtx: names, and float32 numbers as hexadecimal words.

The first line is the number of tensors; each other one is ``name count word word ...``, big-endian words of 8 digits.
Shapes are not in it: a tensor fits a weight of as many elements.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec, plain
from trtnet.checkpoint.casting import cast
from trtnet.checkpoint.finite import NotFinite
from trtnet.support import dtypes
from trtnet.support.errors import CheckpointError
from trtnet.support.files import atomic_write
from trtnet.support.text.counted import counted


class WtsFile(Checkpoint):
    """A .wts file; opening it looks for the ends of lines. Raises CheckpointError for what is no such file."""

    flat = True

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._places: dict[str, tuple[int, int, int]] = {}
        try:
            promised = int(self._map.readline())
            while line := self._head():
                key, count, begin, end = line
                if key in self._places:
                    raise ValueError(f"it has {key} twice")
                self._places[key] = count, begin, end
            last = self._map[max(0, len(self._map) - 9) :].rpartition(b" ")[2]
            if self._places and not last.endswith(b"\n") and len(last) < 8:
                raise ValueError("it is cut short within its last number")
            if promised != len(self._places):
                raise ValueError(f"it has {counted(len(self._places), 'tensor')}, its first line says {promised:,}")
        except ValueError as error:
            raise CheckpointError(f"{path} is not a readable .wts file: {error}. Write it again.") from error
        super().__init__(str(path), self._places)

    def _head(self) -> tuple[str, int, int, int] | None:
        """(name, count, where the words begin, where they end) of the next line that is not empty."""
        begin, size = self._map.tell(), len(self._map)
        while begin < size:
            found = self._map.find(b"\n", begin)
            end = found if found >= 0 else size
            self._map.seek(min(end + 1, size))
            head = self._map[begin : min(end, begin + 1000)].split(None, 2)
            if head:
                name, count = head[0].decode(), int(head[1]) if len(head) > 1 else -1
                if count < 0:
                    raise ValueError(f"the line of {name} has no count")
                words = self._map.find(head[1], begin + len(head[0])) + len(head[1])
                return name, count, words, end
            begin = end + 1
        return None

    def _spec(self, key: str) -> TensorSpec:
        return TensorSpec((self._places[key][0],), dtypes.float32)

    def _read(self, key: str) -> Array:
        count, begin, end = self._places[key]
        text = self._map[begin:end]
        try:
            words = text.split()
            if len(words) != count:
                raise ValueError(f"{counted(len(words), 'word')} instead of {count:,}")
            whole = len(b"".join(words)) == 8 * count and all(len(word) == 8 for word in words)
            data = bytes.fromhex(text.decode()) if whole else b"".join(int(w, 16).to_bytes(4, "big") for w in words)
            return plain(np.frombuffer(data, ">u4").astype(np.uint32).view(np.float32), dtypes.float32)
        except (ValueError, OverflowError) as error:
            raise CheckpointError(f"{self.name}: {key} cannot be read: {error}") from error

    def _release(self) -> None:
        self._map.close()


def save_wts(
    path: str | os.PathLike[str], tensors: Checkpoint, progress: Callable[[int, int], None] | None = None
) -> None:
    """Writes a .wts file of every tensor, in float32: floating ones are cast, integers converted if that is exact.

    Raises CheckpointError for a name with blanks or an integer that float32 cannot hold, WeightsError for a number that
    float32 cannot hold; `path` then stays as it was.
    """
    lost = NotFinite()
    with atomic_write(path) as file:
        file.write(f"{len(tensors)}\n".encode())
        for done, key in enumerate(tensors, start=1):
            if not key or len(key.split()) != 1:
                raise CheckpointError(f"{tensors.name}: a .wts file cannot hold the name {key!r}: it has blanks")
            numbers = _float32(tensors.name, key, tensors[key]).reshape(-1)
            lost.look(key, numbers)
            digits = numbers.astype(">f4").tobytes().hex(" ", 4)
            file.write(f"{key} {numbers.size}{' ' if digits else ''}{digits}\n".encode())
            if progress:
                progress(done, len(tensors))
    lost.warn(tensors.name)


def _float32(name: str, key: str, array: Array) -> Array:
    if dtypes.get(array.dtype).is_floating:
        return cast(array, "float32", key)
    converted = array.astype(np.float32)
    if (converted.astype(np.float64) != array.astype(np.float64)).any() or (array.astype(object) != converted).any():
        raise CheckpointError(f"{name}: {key} has integers that float32, and so a .wts file, cannot hold")
    return converted
