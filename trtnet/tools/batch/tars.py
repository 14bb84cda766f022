"""Tars, read once from their beginning to their end, of which no damaged part is left out."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

_GZIP = b"\x1f\x8b"
_PART = 1 << 20


@contextmanager
def opened_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar, compressed or not, whose members can be read in their order.

    Raises tarfile.TarError, OSError, EOFError and zlib.error for one that is damaged or cut off. Python's own reader
    takes a damaged header for the end, and does not look at gzip's checksum.
    """
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open("rb"))
        is_gzip = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if is_gzip:
            file = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file)))
        yield stack.enter_context(tarfile.open(fileobj=file, mode="r|" if is_gzip else "r|*", tarinfo=_Member))
        while is_gzip and file.read(_PART):
            pass  # to the checksum behind the end of the tar


class _Member(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Any:
        """Raises ReadError where there is neither a header nor an end."""
        try:
            return super().fromtarfile(tar)
        except _NO_HEADER as error:
            raise tarfile.ReadError(f"it is damaged or cut off at byte {tar.offset:,}: {error}") from error


_NO_HEADER = tuple(getattr(tarfile, f"{name}HeaderError") for name in ("Invalid", "Truncated", "Empty", "Subsequent"))
