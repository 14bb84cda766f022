"""`trtnet weights verify`: whether a checkpoint is what was written, and whether its numbers are finite."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from trtnet.checkpoint import Checkpoint, open_checkpoint
from trtnet.checkpoint.base import combine_digests, tensor_digest
from trtnet.checkpoint.finite import counts
from trtnet.checkpoint.formats.shipped import located
from trtnet.checkpoint.writing import DIGEST
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted
from trtnet.support.text.printing import visible
from trtnet.support.text.status_line import StatusLine

PIECE = 1 << 22
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. what: a tensor, or what a file records. found: what is wrong, or was confirmed.

    wrong: whether it is an error; NaN and Inf in a tensor are.
    """

    what: str
    found: str
    wrong: bool


def verify(path: str, key: str | None = None, bar: bool = False) -> list[Check]:
    """Every check of a checkpoint's files, then of its tensors; those of tensors that are sound are counted in one.

    CRCs of zip archives (PyTorch, TorchScript, .npz); the SHA-256 in a Hugging Face blob's name, in a name as torch.hub
    has them (``resnet50-0676ba61.pth``), and in FILE.sha256; ``trtnet.digest`` of a .safetensors file; that every
    tensor can be read, and is finite. key: the part of a training checkpoint whose tensors are read. Raises
    CheckpointError for what cannot be opened.
    """
    with open_checkpoint(path, key) as checkpoint, StatusLine(bar, visible(path)) as told:
        files = _files(located(path))
        sizes = sum(file.stat().st_size for file in files)
        total = sizes + sum(checkpoint.listed(key).nbytes or 0 for key in checkpoint)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            told(f"{visible(path)} {done / (total or 1):.0%}")

        checks = [check for file in files for check in _file_checks(file, advance)]
        return checks + _tensor_checks(checkpoint, advance)


def is_sound(found: list[Check]) -> bool:
    """Whether nothing is wrong."""
    return not any(check.wrong for check in found)


def table(found: list[Check]) -> Table:
    """The checks, to read; what is wrong first."""
    picture = Table(Column("what", overflow="fold"), "", "found")
    for check in sorted(found, key=lambda check: not check.wrong):
        picture.add_row(check.what, "WRONG" if check.wrong else "ok", check.found)
    return picture


def to_json(found: list[Check]) -> list[dict[str, Any]]:
    """The checks, for a program."""
    return [asdict(check) for check in found]


def _files(path: Path) -> list[Path]:
    """The file, or those of a folder or beside an index that may hold weights."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if path.name.endswith(".index.json"):
        return [path, *(file for file in _files(path.parent) if file != path and file.suffix != ".json")]
    return [path]


def _file_checks(file: Path, advance: Advance) -> Iterator[Check]:
    recorded = dict(_recorded(file))
    digest = _sha256(file, advance) if recorded else ""
    if not recorded:
        advance(file.stat().st_size)
    for where, wanted in recorded.items():
        wrong = not digest.startswith(wanted)
        yield Check(f"{file.name}: SHA-256 in {where}", f"{digest}, recorded {wanted}" if wrong else digest, wrong)
    if zipfile.is_zipfile(file):
        yield from _crcs(file)


def _recorded(file: Path) -> Iterator[tuple[str, str]]:
    """(where, the SHA-256 or what it begins with) that is recorded of a file."""
    blob = file.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", blob):
        yield "its name", blob
    if named := re.search(r"-([0-9a-f]{8,64})\.\w+$", file.name):
        yield "its name", named[1]
    beside = file.with_name(f"{file.name}.sha256")
    if beside.is_file():
        text = beside.read_text("utf-8", "replace").lower()
        if found := re.search(r"\b[0-9a-f]{64}\b", text):
            yield beside.name, found[0]


def _sha256(file: Path, advance: Advance) -> str:
    state = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            state.update(piece)
            advance(len(piece))
    return state.hexdigest()


def _crcs(file: Path) -> list[Check]:
    """The members of a zip archive whose checksum is not theirs."""
    wrong = []
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        for info in members:
            try:
                with archive.open(info) as opened:
                    while opened.read(PIECE):
                        pass
            # a damaged member fails in zipfile or zlib, each with its own types
            except Exception as error:
                wrong.append(Check(f"{file.name}: {info.filename}", str(error), True))
    return wrong or [Check(f"{file.name}: CRC-32", f"of all {counted(len(members), 'member')}", False)]


def _tensor_checks(checkpoint: Checkpoint, advance: Advance) -> list[Check]:
    checks, digests, sound = [], {}, 0
    for key in checkpoint:
        listed = checkpoint.listed(key)
        if not listed.readable:
            checks.append(Check(key, f"not read: {listed.dtype}", False))
            continue
        try:
            array = checkpoint[key]
        except CheckpointError as error:
            checks.append(Check(key, str(error), True))
            continue
        digests[key] = tensor_digest(key, array)
        advance(array.nbytes)
        if words := counts(array):
            checks.append(Check(key, words, True))
        else:
            sound += 1
    checks.append(Check("tensors", f"{sound:,} of {len(checkpoint):,} are read and finite", False))
    if wanted := checkpoint.metadata.get(DIGEST):
        digest = combine_digests(digests)
        checks.append(Check(f"{DIGEST} in its metadata", digest, digest != wanted))
    return checks
