"""Small files of the formats, cut at many bytes and with many bytes changed: refused, or read as they were."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from helpers.checkpoint import damage, layouts

from trtnet.checkpoint import open_checkpoint

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


def test_an_archive_without_checksums(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.ones(2)}, tmp_path / "x.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert open_checkpoint(tmp_path / "x.pth")["a"].tolist() == [1, 1]
