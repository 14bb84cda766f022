"""Zip archives that are whole: Python's reader takes what is left of a damaged directory, and so fewer members."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

_ENTRY = 46
"""Bytes of an entry of the directory, without its name and what follows it."""
_ENDS = {b"PK\6\6": (32, 8), b"PK\5\6": (10, 2)}
"""Where the records that follow the directory have the number of its entries, and in how many bytes."""


def open_archive(file: Path | BinaryIO) -> zipfile.ZipFile:
    """Opens a zip archive whose members are as many and of the names that it says. Reading one checks its CRC.

    Where none has a CRC, as after ``torch.serialization.set_crc32_options(False)``, none is checked.
    Raises CheckpointError where entries are missing, differ from their members or have the same name, and what
    zipfile raises, which is of half a dozen types.
    """
    archive = zipfile.ZipFile(file)
    try:
        _check(archive)
    except BaseException:
        archive.close()
        raise
    if not any(info.CRC for info in archive.infolist()):
        for info in archive.infolist():
            del info.CRC  # then zipfile checks none
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
