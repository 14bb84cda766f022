"""The files of a folder as shards: what is done, and finished, as one."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtnet.support.errors import InputError

KINDS = {
    "parquet": (".parquet",),
    "npz": (".npz",),
    "tar": (".tar", ".tar.gz", ".tgz"),
    "images": (".jpg", ".jpeg", ".png", ".webp", ".bmp"),
}
"""The kinds of input, by the ends of their files' names."""


@dataclass(frozen=True)
class Source:
    """A file: its path in the folder, and what changes when the file does."""

    path: str
    size: int
    mtime_ns: int


def source_of(folder: Path, name: str) -> Source:
    """A file as it is now."""
    state = (folder / name).stat()
    return Source(name, state.st_size, state.st_mtime_ns)


@dataclass(frozen=True)
class Shard:
    """name: of its result, NAME.parquet. files: what it is read from; one file, or some images."""

    name: str
    files: tuple[Source, ...]

    def __str__(self) -> str:
        """Its file, or its name where there are several."""
        return self.files[0].path if len(self.files) == 1 else self.name


def find(folder: Path, kind: str | None) -> tuple[str, list[Source]]:
    """The kind of the files in a folder and in folders in it, and the files, sorted; hidden ones do not count.

    Links to files and folders are followed; a folder is looked at once.
    kind: of KINDS; None where all have one. Raises InputError for none, several kinds, no folder, a link to a file that
    is not there, and for a name that is not UTF-8.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    if kind is not None and kind not in KINDS:
        raise InputError(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
    found: dict[str, list[Source]] = {}
    for path in sorted(_seen(folder)):
        which, name = kind_of(path.name), path.relative_to(folder).as_posix()
        if which is None or (kind is not None and kind != which):
            continue
        if path.is_symlink() and not path.exists():
            raise InputError(f"{path} is a link to {path.readlink()}, which is not there: remove it, or mend it")
        if path.is_file():
            found.setdefault(which, []).append(source_of(folder, checked_utf8(name, folder)))
    wanted = [kind] if kind is not None else [*found]
    if len(wanted) > 1:
        raise InputError(f"{folder} holds {' and '.join(sorted(wanted))}; choose one with --kind")
    if not wanted or not found.get(wanted[0]):
        ends = ", ".join(end for name in (wanted or KINDS) for end in KINDS[name])
        raise InputError(f"{folder} holds no files that end in {ends}")
    return wanted[0], found[wanted[0]]


def _seen(folder: Path) -> Iterator[Path]:
    """What is not hidden and no folder."""
    looked_at: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        real = os.path.realpath(here)
        if real in looked_at:
            folders.clear()
            continue
        looked_at.add(real)
        yield from (Path(here, name) for name in files if not name.startswith("."))


def checked_utf8(name: str, where: Path) -> str:
    """The name, which Parquet's text can hold. Raises InputError for one that is not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{name!r} in {where} is not UTF-8, as the results need it: rename it") from error
    return name


def kind_of(name: str) -> str | None:
    """The kind of a file's name; None for a file that is no input."""
    return next((kind for kind, ends in KINDS.items() if name.lower().endswith(ends)), None)


def check_unchanged(sources: Sequence[Source], finished: Collection[Shard], out: Path) -> None:
    """Raises InputError for a file that is another than the one that a finished shard was read from."""
    known = {source.path: source for shard in finished for source in shard.files}
    for source in sources:
        if known.get(source.path, source) != source:
            raise InputError(
                f"{source.path} changed after its results were written to {out}: choose another folder for the results,"
                f" or remove that one to begin anew"
            )


def check_as_planned(folder: Path, shard: Shard) -> None:
    """Raises InputError for a file that is another than when the shard was planned."""
    for source in shard.files:
        if source_of(folder, source.path) != source:
            raise InputError(f"{folder / source.path} changed while the job ran: its results are not kept")


def check_free(out: Path, shards: Sequence[Shard]) -> None:
    """Raises InputError for a file that is where a shard's results would be."""
    for shard in shards:
        place = out / f"{shard.name}.parquet"
        if place.exists():
            raise InputError(
                f"{place} is there already, and no run of this job wrote it: choose another folder for the results, or"
                f" remove it"
            )


def plan(kind: str, sources: Sequence[Source], finished: Mapping[str, Shard], images: int) -> list[Shard]:
    """The shards that are still to be done. images: how many are one shard.

    A finished shard keeps its files, so that files that come later are shards of their own. Raises InputError for two
    files whose results would have one name.
    """
    done = {source.path for shard in finished.values() for source in shard.files}
    left = [source for source in sources if source.path not in done]
    if kind != "images":
        names = {name: str(shard) for name, shard in finished.items()}
        for source in left:
            other = names.setdefault(_name(source.path), source.path)
            if other != source.path:
                raise InputError(f"the results of {other} and of {source.path} would have one name: rename one of them")
        return [Shard(_name(source.path), (source,)) for source in left]
    first = 1 + max((int(name.rpartition("-")[2]) for name in finished), default=-1)
    groups = [tuple(left[start : start + images]) for start in range(0, len(left), images)]
    return [Shard(f"images-{first + index:05}", group) for index, group in enumerate(groups)]


def _name(path: str) -> str:
    return re.sub(r"\.parquet$", "", path, flags=re.IGNORECASE)
