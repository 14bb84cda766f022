"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import filelock

from trtnet.errors import TrtnetError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a binary file that takes the name `path` only when the block ends without an exception.

    The content is written beside `path`, flushed to disk and renamed over it; an exception leaves `path` as it
    was and removes what was written. Raises OSError where the folder is missing or not writable.
    """
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: str | os.PathLike[str], timeout: float = 60) -> Iterator[None]:
    """Keeps other processes and threads out of the blocks that lock the same `path`; a process that dies lets go.

    The lock is on a file `path`.lock. timeout: seconds to wait for another to be done.
    Raises TimeoutError if it is not, OSError where the folder is missing or not writable.
    """
    with filelock.FileLock(f"{os.fspath(path)}.lock", timeout=timeout):
        yield


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises TrtnetError if a file cannot be made at `path`: to be called before long work whose result goes there."""
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise TrtnetError(f"cannot write {path}: {error.strerror or error}") from error
    os.close(descriptor)
    Path(temporary).unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
