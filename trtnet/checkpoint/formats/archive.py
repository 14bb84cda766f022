"""Zip archives that are whole: Python's reader takes what is left of a damaged directory, and so fewer members."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

_ENTRY = 46
"""Bytes of an entry of the directory, without its name and what follows it."""
_ENDS = {b"PK\6\6": (32, 8), b"PK\5\6": (10, 2)}
"""Where the records that follow the directory have the number of its entries, and in how many bytes."""
_HEADER = 30
"""Bytes of a member's header, without its name and what follows it."""
_SIZES_FOLLOW = 0x8
"""The flag of a member behind which its sizes stand once more, in 16 or 24 bytes with a mark of their own."""


def open_archive(file: Path | BinaryIO) -> zipfile.ZipFile:
    """Opens a zip archive whose members are as many and of the names that it says. Reading one checks its CRC.

    Where none has a CRC, as after ``torch.serialization.set_crc32_options(False)``, none is checked, but that the
    members lie end to end: a header of another length would move what is read.
    Raises CheckpointError where entries are missing, differ from their members or have the same name, and what
    zipfile raises, which is of half a dozen types.
    """
    archive = zipfile.ZipFile(file)
    try:
        _check(archive)
        if archive.infolist() and not any(info.CRC for info in archive.infolist()):
            _check_places(archive)
            for info in archive.infolist():
                del info.CRC  # then zipfile checks none
    except BaseException:
        archive.close()
        raise
    return archive


def _check(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    stated = _stated(archive)
    # a number of two bytes counts on from 0
    if stated not in (len(entries), len(entries) % (1 << 16)):
        raise CheckpointError(f"its directory has {len(entries):,} of {counted(stated, 'entry', 'entries')}")
    names = set()
    for info in entries:
        if info.filename in names:
            raise CheckpointError(f"it has two members named {info.filename!r}")
        names.add(info.filename)
        archive.open(info).close()  # compares the member's own name


def _check_places(archive: zipfile.ZipFile) -> None:
    file = archive.fp
    assert file is not None
    entries = sorted(archive.infolist(), key=lambda info: info.header_offset)
    for info, following in zip(
        entries, [*(info.header_offset for info in entries[1:]), archive.start_dir], strict=True
    ):
        file.seek(info.header_offset)
        name, more = struct.unpack("<2H", file.read(_HEADER)[-4:])
        end = info.header_offset + _HEADER + name + more + info.compress_size
        file.seek(end)
        if following - end not in ((16, 24) if info.flag_bits & _SIZES_FOLLOW else (0,)) or (
            info.flag_bits & _SIZES_FOLLOW and file.read(4) != b"PK\7\b"
        ):
            raise CheckpointError(f"its member {info.filename!r} does not end where the next one begins")


def _stated(archive: zipfile.ZipFile) -> int:
    """The number of entries that stands behind the directory."""
    file = archive.fp
    assert file is not None
    sizes = (_ENTRY + len(_name(info)) + len(info.extra) + len(info.comment) for info in archive.infolist())
    file.seek(archive.start_dir + sum(sizes))
    record = file.read(48)
    begin, length = _ENDS.get(record[:4], (0, 0))
    if not length:
        raise CheckpointError("its directory is damaged")
    return int.from_bytes(record[begin : begin + length], "little")


def _name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
