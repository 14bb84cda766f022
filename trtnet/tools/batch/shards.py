"""The files of a folder as shards: what is done, and finished, as one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
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

    kind: of KINDS; None where all have one. Raises InputError for none, several kinds, or no folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    if kind is not None and kind not in KINDS:
        raise InputError(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
    found: dict[str, list[Source]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        which = kind_of(path.name)
        if which is not None and not any(part.startswith(".") for part in name.parts) and path.is_file():
            state = path.stat()
            found.setdefault(which, []).append(Source(name.as_posix(), state.st_size, state.st_mtime_ns))
    wanted = [kind] if kind is not None else [*found]
    if len(wanted) > 1:
        raise InputError(f"{folder} holds {' and '.join(sorted(wanted))}; choose one with --kind")
    if not wanted or not found.get(wanted[0]):
        ends = ", ".join(end for name in (wanted or KINDS) for end in KINDS[name])
        raise InputError(f"{folder} holds no files that end in {ends}")
    return wanted[0], found[wanted[0]]


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


def plan(kind: str, sources: Sequence[Source], finished: Mapping[str, Shard], images: int) -> list[Shard]:
    """The shards that are still to be done. images: how many are one shard.

    A finished shard keeps its files, so that files that come later are shards of their own.
    """
    done = {source.path for shard in finished.values() for source in shard.files}
    left = [source for source in sources if source.path not in done]
    if kind != "images":
        return [Shard(_name(source.path), (source,)) for source in left]
    first = 1 + max((int(name.rpartition("-")[2]) for name in finished), default=-1)
    groups = [tuple(left[start : start + images]) for start in range(0, len(left), images)]
    return [Shard(f"images-{first + index:05}", group) for index, group in enumerate(groups)]


def _name(path: str) -> str:
    return re.sub(r"\.parquet$", "", path, flags=re.IGNORECASE)
