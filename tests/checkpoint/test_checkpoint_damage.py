"""Small files of the formats, cut at many bytes and with many bytes changed: refused, or read as they were."""

from __future__ import annotations

import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.checkpoint import damage, layouts

from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import CheckpointError

SOME = ("safetensors", "npz", "torch", "torchscript", "ctranslate2", "wts")


@pytest.mark.parametrize("name", SOME)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_refused_or_read_right(name: str, tmp_path: Path) -> None:
    path = layouts.FILES[name](tmp_path)
    wanted, content, rng = damage.read(path), path.read_bytes(), random.Random(1)
    places = range(0, len(content), 1 if len(content) < 500 else 13)
    whole = damage.compared(wanted, False)
    changed = damage.compared(wanted, name not in layouts.CHECKED, 300)
    counts, cut = damage.hurt(
        path, damage.cuts(content, 17 if len(content) > 500 else 1), lambda: damage.read(path), whole
    )
    _, flipped = damage.hurt(path, damage.flips(content, rng, 1, places), lambda: damage.read(path), changed)
    assert counts["refused"] and not cut and not flipped


def test_a_directory_that_lacks_its_last_entries(tmp_path: Path) -> None:
    """The length of an entry's comment, changed, takes in the entries behind it."""
    path = layouts.write_npz(tmp_path)
    content = path.read_bytes()
    last = content.rindex(b"PK\1\2")
    entry = content.rindex(b"PK\1\2", 0, last)
    damaged = [("a long comment", content[: entry + 33] + b"\x08" + content[entry + 34 :])]
    judge = damage.compared(damage.read(path), False)
    counts, found = damage.hurt(path, damaged, lambda: damage.read(path), judge)
    assert counts["refused"] == 1 and not found


def test_old_files_with_float8(tmp_path: Path) -> None:
    path = layouts.write_old(tmp_path)
    assert open_checkpoint(path)["of.float8_e5m2"].astype("float32").tolist() == [1, 2, 3]


@pytest.fixture
def without_checksums() -> Iterator[None]:
    torch.serialization.set_crc32_options(False)
    yield
    torch.serialization.set_crc32_options(True)


@pytest.mark.usefixtures("without_checksums")
def test_an_archive_without_checksums(tmp_path: Path) -> None:
    """It is read. A header of a member that is said to be longer or shorter would move what is read of it."""
    torch.save({"a": torch.ones(2), "b": torch.arange(9)}, tmp_path / "x.pth")
    assert open_checkpoint(tmp_path / "x.pth")["a"].tolist() == [1, 1]
    content = (tmp_path / "x.pth").read_bytes()
    begin = content.index(b"data/0") - 30 - len("x/") + 28
    (length,) = struct.unpack_from("<H", content, begin)
    for change in (-4, -1, 1, 4, 8, 16):
        moved = struct.pack("<H", length + change)
        (tmp_path / "y.pth").write_bytes(content[:begin] + moved + content[begin + 2 :])
        with pytest.raises(CheckpointError, match="does not end where the next one begins"):
            dict(open_checkpoint(tmp_path / "y.pth"))


def rewritten(path: Path, how: str) -> Path:
    """A file of torch.save written again: compressed, with sizes of 64 bits, or as a big-endian machine does."""
    new = path.with_name(f"{how}.pth")
    packing = zipfile.ZIP_DEFLATED if how == "compressed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w", packing) as archive:
        for info in old.infolist():
            content = old.read(info)
            if how == "big" and info.filename.endswith("byteorder"):
                content = b"big"
            elif how == "big" and "/data/" in info.filename:
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            with archive.open(info.filename, "w", force_zip64=how == "zip64") as member:
                member.write(content)
    return new


@pytest.mark.parametrize("how", ["compressed", "zip64", "big"])
def test_other_archives_of_torch(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch itself takes compressed members for elements."""
    torch.save({"a": torch.arange(3.0), "b": torch.zeros(500)}, tmp_path / "x.pth")
    if how == "zip64":
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # writes its other record behind the directory
    found = dict(open_checkpoint(rewritten(tmp_path / "x.pth", how)))
    assert found["a"].tolist() == [0, 1, 2] and found["b"].shape == (500,)


def test_a_number_that_changed_in_a_torch_file(tmp_path: Path) -> None:
    """torch maps the file and looks at no checksum."""
    torch.save({"a": torch.zeros(3), "b": torch.full((4,), 1.5)}, tmp_path / "x.pth")
    content = (tmp_path / "x.pth").read_bytes()
    at = content.index(np.full(4, 1.5, np.float32).tobytes())
    (tmp_path / "x.pth").write_bytes(content[:at] + b"\1" + content[at + 1 :])
    opened = open_checkpoint(tmp_path / "x.pth")
    assert opened["a"].tolist() == [0, 0, 0]
    with pytest.raises(CheckpointError, match="b cannot be read: its storage has another checksum"):
        opened["b"]
