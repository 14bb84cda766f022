"""Where torch keeps the elements of tensors: in members of a zip archive, or in old files behind the pickle."""

from __future__ import annotations

import contextlib
import io
import mmap
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from trtnet.checkpoint.formats.archive import open_archive
from trtnet.checkpoint.formats.pickled.machine import Builders, Machine, PickleError
from trtnet.checkpoint.formats.pickled.tensors import Storage, nbytes, storage
from trtnet.support.text.counted import counted

LARGEST_PICKLE = 1 << 24
"""Bytes that a description may have once it is unpacked; one that is stored as it is may have those of the file."""
_MAGIC = 0x1950A86A20F9469CFC6C


class Storages(Protocol):
    """What reads storages. big_endian: their byte order."""

    big_endian: bool

    def read(self, stored: Storage) -> Any:
        """The bytes of a storage. Raises almost anything on a damaged file."""

    def close(self) -> None:
        """Lets go of the file."""


class ZipStorages:
    """A zip archive of torch: data.pkl, and a member data/KEY for each storage. Reading checks a member's CRC.

    packed: whether members are compressed, which torch does not do.
    """

    def __init__(self, file: Path | BinaryIO) -> None:
        self._zip = open_archive(file)
        self._members = {info.filename.partition("/")[2]: info for info in self._zip.infolist()}
        self._last: tuple[str, bytes] = ("", b"")
        self.packed = any(info.compress_type != zipfile.ZIP_STORED for info in self._zip.infolist())
        self.big_endian = "byteorder" in self._members and self.content("byteorder", 10).strip() == b"big"

    def names(self) -> list[str]:
        """The members, without the folder that they are in."""
        return list(self._members)

    def content(self, name: str, limit: int) -> bytes:
        """A member, of which no more is unpacked than the archive's directory promises."""
        if name not in self._members:
            raise PickleError(f"it has no {name}")
        info = self._members[name]
        if info.file_size > limit:
            raise PickleError(f"{name} has {counted(info.file_size, 'byte')}, more than the {limit:,} that it may have")
        with self._zip.open(info) as file:
            return file.read(info.file_size)

    def pickle(self, name: str, builders: Builders, folder: str = "data") -> Any:
        """The value of a pickle in the archive, whose storages are in a folder of it."""
        info = self._members.get(name)
        stored = info is not None and info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
        content = self.content(name, info.file_size if info is not None and stored else LARGEST_PICKLE)

        def found(identity: object) -> object:
            known = storage(identity)
            return known._replace(key=f"{folder}/{known.key}") if isinstance(known, Storage) else known

        return Machine(builders, found).run(io.BytesIO(content))

    def read(self, stored: Storage) -> bytes:
        # tensors that are views of one storage come one after the other
        if self._last[0] != stored.key:
            self._last = stored.key, self.content(stored.key, nbytes(stored))
        return self._last[1]

    def checksums(self) -> set[tuple[int, int]]:
        """The sizes and CRC-32 of the members; none where the archive has none."""
        return {(info.file_size, info.CRC) for info in self._members.values() if hasattr(info, "CRC")}

    def close(self) -> None:
        self._last = ("", b"")
        self._zip.close()


class FileStorages:
    """A file of pickles: torch's before version 1.6, where storages follow the pickles; or a pickle of Python's."""

    def __init__(self, path: Path, builders: Builders) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._seen: dict[str, Storage] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self.big_endian = False
        self.root = self._load(builders)

    def read(self, stored: Storage) -> memoryview:
        if stored.key not in self._places:
            raise PickleError(f"its storage {stored.key} is not in the file")
        begin, end = self._places[stored.key]
        return memoryview(self._map)[begin:end]

    def close(self) -> None:
        # arrays that were read share its memory: then it is closed with the last of them
        with contextlib.suppress(BufferError):
            self._map.close()

    def _load(self, builders: Builders) -> Any:
        first = self._next(builders)
        if first != _MAGIC or isinstance(first, bool):
            return first
        self._next(builders)
        system = self._next(builders)
        self.big_endian = isinstance(system, dict) and system.get("little_endian") is False
        root, keys = self._next(builders), self._next(builders)
        if not isinstance(keys, list):
            raise PickleError("it has no list of storages")
        for key in keys:
            self._place(key)
        return root

    def _next(self, builders: Builders) -> Any:
        def found(identity: object) -> object:
            known = storage(identity)
            if isinstance(known, Storage):
                self._seen[known.key] = known
            return known

        return Machine(builders, found).run(self._map)  # type: ignore[arg-type]

    def _place(self, key: object) -> None:
        known = self._seen.get(key) if isinstance(key, str) else None
        if known is None:
            raise PickleError("it has storages that no tensor uses")
        stated = self._map.read(8)
        if len(stated) < 8:
            raise PickleError(f"it is cut short: it ends before storage {key}")
        count = int.from_bytes(stated, "big" if self.big_endian else "little")
        begin = self._map.tell()
        end = begin + nbytes(known)
        if count != known.elements or end > len(self._map):
            raise PickleError(
                f"it is cut short: storage {key} has {counted(count, 'element')} instead of {known.elements:,}"
            )
        self._places[known.key] = begin, end
        self._map.seek(end)
