"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import filelock

from trtnet.support.errors import FileError, TrtnetError

PAGES = (".html", ".htm")
ARRAYS = (".npz", ".json")


class FileState(NamedTuple):
    """state: what changes when the file does: the digest of its content, or of large files their size and time."""

    path: str
    state: str


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a binary file that takes the name `path` only when the block ends without an exception.

    The content is written beside `path`, flushed to disk and renamed over it; an exception leaves `path` as it
    was and removes what was written. A link stays one: the file that it leads to is replaced. What exists and is no
    regular file, such as a device or a pipe, is written into as it is.
    Raises FileError where the folder is missing or not writable, or the disk is full.
    """
    with _explained(path):
        if _is_special(path):
            with Path(path).open("wb") as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        descriptor, temporary = _beside(target)
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


def digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal. Raises FileError for one that cannot be read."""
    with _explained(path), Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether it is a file; a name that is too long for one is none."""
    with suppress(OSError):
        return Path(path).is_file()
    return False


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether it is a folder; a name that is too long for one is none."""
    with suppress(OSError):
        return Path(path).is_dir()
    return False


def check_suffix(path: str | os.PathLike[str], suffixes: Sequence[str], what: str) -> None:
    """Raises TrtnetError for a file whose name ends in none of them, where the name says the format.

    what: what is written, as `a page`.
    """
    if Path(path).suffix not in suffixes:
        *others, last = suffixes
        known = f"{', '.join(others)} or {last}" if others else last
        raise TrtnetError(f"{os.fspath(path)}: {what} is written as {known}: give the file a name that ends so")


def check_page(path: Path) -> None:
    """Raises TrtnetError for the name of a page that does not end in .html or .htm."""
    check_suffix(path, PAGES, "a page")


def check_arrays(path: Path, *, one: bool = True) -> None:
    """Raises TrtnetError for the name of a file of arrays that ends in neither .npz nor .json.

    one: whether it is to hold one call of one thing, as an .npz does.
    """
    check_suffix(path, ARRAYS if one else ARRAYS[1:], "a file of arrays" if one else "a file of several results")


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises FileError if a file cannot be made at `path`: to be called before long work whose result goes there."""
    with _explained(path):
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _is_special(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        descriptor, temporary = _beside(Path(os.path.realpath(path)))
        try:
            os.close(descriptor)
        finally:
            Path(temporary).unlink()


@contextmanager
def _explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Makes a FileError of an OSError, and of the ValueError of a name that no file can have."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        reason, folder = error.strerror or str(error), Path(path).parent
        if error.errno == errno.ENOENT and not folder.exists():
            reason = f"there is no folder {folder}: make it first"
        raise FileError(error.errno, reason, os.fspath(path)) from error
    except ValueError as error:
        if "null byte" not in str(error):
            raise
        raise FileError(errno.EINVAL, str(error), os.fspath(path)) from error


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Whether it exists and is not a regular file."""
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except FileNotFoundError:
        return False


def _beside(target: Path) -> tuple[int, str]:
    """(descriptor, path) of a new hidden file in the same folder; its name is no longer than names may be."""
    return tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
