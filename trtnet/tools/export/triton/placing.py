"""Versions in a Triton repository: each appears whole, or not at all."""

from __future__ import annotations

import errno
import py_compile
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trtnet.support.errors import PlanError
from trtnet.support.files import atomic_write

CONFIG = "config.pbtxt"
Files = Mapping[str, bytes | memoryview]
"""The files of a version, by name."""
_ELSEWHERE = (errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a folder from which nothing can be moved into the repository."""


@dataclass(frozen=True)
class Version:
    """A version of a model: its name, the text of its configuration, its files. number: None for the next one."""

    name: str
    config: str
    files: Files
    number: int | None = None


def check(repository: Path, version: Version) -> int:
    """The number that the version gets.

    Raises PlanError for a name that Triton does not take, a version that is there, and a model of other tensors.
    """
    name, model = version.name, repository / version.name
    if not re.fullmatch(r"[\w-][\w.-]*", name):
        raise PlanError(f"a model's name has only letters, digits, _ - . and does not begin with a dot: {name!r}")
    there = [int(each.name) for each in model.glob("*") if each.name.isdecimal()]
    number = max(there, default=0) + 1 if version.number is None else version.number
    if number in there:
        raise PlanError(f"{model} has a version {number}, which is never changed; by default the next one is written")
    path = model / CONFIG
    if path.exists() and _tensors(path.read_text(errors="replace")) != _tensors(version.config):
        raise PlanError(
            f"{model} has a model with other tensors or another max_batch_size: the versions of a model share its"
            f" configuration. Choose another --name"
        )
    return number


def place(repository: Path, version: Version) -> tuple[tuple[str, ...], int]:
    """Puts a version into the repository, whole: (what was written, its number).

    A server that looks meanwhile sees the model as it was, or with the version. Raises PlanError as :func:`check`, and
    if files cannot be written.
    """
    try:
        repository.mkdir(parents=True, exist_ok=True)
        number = check(repository, version)
        try:
            _place(repository, version, number, repository.resolve().parent)
        except OSError as error:
            if error.errno not in _ELSEWHERE:
                raise
            _place(repository, version, number, repository)  # it is a mount, or what it lies in cannot be written
    except OSError as error:
        raise PlanError(f"cannot write {error.filename or repository}: {error.strerror or error}") from error
    model = repository / version.name
    return tuple(map(str, (model / CONFIG, *(model / str(number) / file for file in version.files)))), number


def _place(repository: Path, version: Version, number: int, beside: Path) -> None:
    """Writes the version into a hidden folder and moves it to its place."""
    model = repository / version.name
    with tempfile.TemporaryDirectory(prefix=f".{version.name[:40]}.", dir=beside) as temporary:
        made = Path(temporary) / version.name
        folder = made / str(number)
        folder.mkdir(parents=True)
        for file, data in version.files.items():
            with atomic_write(folder / file) as out:
                out.write(data)
            if file.endswith(".py"):
                _compile(folder / file, model / str(number) / file)
        if model.exists():
            with atomic_write(model / CONFIG) as out:
                out.write(version.config.encode())
            folder.rename(model / str(number))
        else:
            (made / CONFIG).write_text(version.config)
            made.rename(model)


def _compile(source: Path, place: Path) -> None:
    """Writes the bytecode now: a server that polls takes it for a change if Python writes it, and loads all again."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # the source never changes
    py_compile.compile(str(source), dfile=str(place), doraise=True, invalidation_mode=mode)


def _tensors(text: str) -> list[str]:
    """The lines of a configuration that all versions have in common."""
    kept = ("max_batch_size", "backend", "input", "output", "  { name")
    return [line.rstrip(",") for line in text.splitlines() if line.startswith(kept)]
