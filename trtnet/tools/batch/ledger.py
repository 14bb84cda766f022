"""The ledger of a job: which shards are finished. Results appear with their entry, whatever is killed in between.

A worker writes a shard's results to a file of its own in a hidden folder. The entry in the ledger, a line that is
flushed to disk, makes the shard finished; then the file gets its name among the results. What was killed between the
two is mended when the ledger is opened next: a file with an entry gets its name, a file without one is removed.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trtnet.support import json_text
from trtnet.support.errors import FileError, InputError
from trtnet.support.files import locked
from trtnet.support.text.counted import counted
from trtnet.tools.batch.shards import Shard, Source

VERSION = 2
HIDDEN = ".trtnet"
"""The folder in the results that has the ledger and what is not finished."""


@dataclass(frozen=True)
class Finished:
    """A shard and its results. staged: the name of the file before it has its own; rows, errors: how many it has."""

    shard: Shard
    staged: str
    rows: int
    errors: int
    nbytes: int


class Ledger:
    """The ledger of the results in a folder. Use :func:`opened`."""

    def __init__(self, out: Path, job: Mapping[str, Any]) -> None:
        self._out, self._job = out, json.loads(json.dumps(job))
        self._path = out / HIDDEN / "ledger.jsonl"
        self.finished: dict[str, Finished] = {}
        self._size = 0
        if self._path.exists():
            self._read()
        self._mend()
        if not self._size:
            self._append({"trtnet_batch": VERSION, "job": self._job})

    @property
    def shards(self) -> dict[str, Shard]:
        """The finished shards by name."""
        return {name: each.shard for name, each in self.finished.items()}

    def finish(self, done: Finished) -> None:
        """Enters a shard and gives its results their name. Raises FileError if the disk is full; it is not entered."""
        with _writing(self._place(done.shard)):
            self._place(done.shard).parent.mkdir(parents=True, exist_ok=True)
            self._append(asdict(done))
            self.finished[done.shard.name] = done
            self._publish(done)

    def _publish(self, done: Finished) -> None:
        (staging(self._out) / done.staged).replace(self._place(done.shard))

    def _place(self, shard: Shard) -> Path:
        return self._out / f"{shard.name}.parquet"

    def _read(self) -> None:
        data = self._path.read_bytes()
        self._size = data.rfind(b"\n") + 1  # a line without an end was being written
        before, number = self._job, 0
        try:
            for number, line in enumerate(data[: self._size].split(b"\n")[:-1], 1):
                entry = json_text.loads(line)
                if number == 1:
                    before = _job(entry)
                else:
                    found = _finished(entry)
                    self.finished[found.shard.name] = found
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self._path}, line {number}, is not what trtnet writes: {error!r}. Put back a copy of it, or remove"
                f" {self._out} to begin anew"
            ) from error
        if not self.finished:  # nothing was done with other options
            self._size = 0
            return
        for name, was, now in _differences(before.get("options"), self._job.get("options")):
            raise InputError(
                f"{self._out} has the results of another job: {name} was {was!r}, now it is {now!r}. Choose another"
                f" folder for the results, or the same options"
            )
        for name, (path, state) in self._job.get("files", {}).items():
            if state != before["files"].get(name, ["", None])[1]:
                raise InputError(
                    f"{path} ({name}) changed after results were written to {self._out}: choose another folder for the"
                    f" results, or remove that one to begin anew"
                )

    def _mend(self) -> None:
        """Makes the folder what the ledger says. Raises InputError if results are gone, or of another size."""
        folder = staging(self._out)
        for done in self.finished.values():
            if (folder / done.staged).is_file():
                self._publish(done)
            place = self._place(done.shard)
            size = place.stat().st_size if place.is_file() else None
            if size != done.nbytes:
                what = "is gone" if size is None else f"has {counted(size, 'byte')}, not {done.nbytes:,}"
                raise InputError(
                    f"{place} {what}, which {self._path} says is finished: put it back, or remove {self._out} to begin"
                    f" anew"
                )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)

    def _append(self, entry: Mapping[str, Any]) -> None:
        """Writes a line. What is left of one that could not be written is overwritten by the next."""
        line = json.dumps(entry).encode() + b"\n"
        with _writing(self._path), self._path.open("r+b" if self._path.exists() else "w+b") as file:
            file.truncate(self._size)
            file.seek(self._size)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(line)


@contextmanager
def opened(out: Path, job: Mapping[str, Any]) -> Iterator[Ledger]:
    """The ledger of the results in `out`, which no other process has open meanwhile. The folder is made.

    job: what makes results what they are: "options", nested, and "files", [path, state] by name. Raises InputError for
    the results of another job, or while another process works on them, FileError for a folder that cannot be written.
    """
    with _writing(out):
        (out / HIDDEN).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(out / HIDDEN / "job", timeout=0))
        except TimeoutError as error:
            raise InputError(f"another process is writing results to {out}") from error
        yield Ledger(out, job)
        shutil.rmtree(staging(out), ignore_errors=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Makes a FileError of an OSError."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(error.errno, error.strerror or str(error), str(path)) from error


def staging(out: Path) -> Path:
    """The folder for results that are not finished."""
    return out / HIDDEN / "staged"


def staged_name() -> str:
    """A name that no other attempt has."""
    return f"{uuid.uuid4().hex}.parquet"


def _differences(was: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(name, before, now) of what differs in nested options."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*was, *now)):
            yield from _differences(was.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif was != now:
        yield name, was, now


def _job(header: Mapping[str, Any]) -> Mapping[str, Any]:
    if header["trtnet_batch"] != VERSION:
        raise ValueError(f"version {header['trtnet_batch']}, this trtnet writes {VERSION}")
    job: Mapping[str, Any] = header["job"]
    if not isinstance(job["options"], dict) or not isinstance(job["files"], dict):
        raise TypeError("a job has options and files")
    return job


def _finished(entry: Mapping[str, Any]) -> Finished:
    shard = Shard(entry["shard"]["name"], tuple(Source(**source) for source in entry["shard"]["files"]))
    numbers = [entry[name] for name in ("rows", "errors", "nbytes")]
    if not all(isinstance(text, str) for text in (shard.name, entry["staged"])):
        raise TypeError("names are text")
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError("rows, errors and nbytes are numbers")
    return Finished(shard, entry["staged"], *numbers)
