"""Files that are read and hashed in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from trtnet.builder import parallel_digest as pieces


@pytest.mark.parametrize("size", [0, 1, pieces.PIECE - 1, pieces.PIECE, pieces.PIECE + 1, 20 * pieces.PIECE + 7])
def test_a_file_comes_back_whole_with_the_digest_of_its_pieces(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "f").write_bytes(content)
    parts = [content[start : start + pieces.PIECE] for start in range(0, size, pieces.PIECE)]
    wanted = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    found, digest = pieces.read(tmp_path / "f")
    assert found == content and found.readonly and digest == pieces.digest(content) == wanted


def test_pieces_in_another_order_are_another_file() -> None:
    a, b = bytes(pieces.PIECE), b"1" * pieces.PIECE
    assert pieces.digest(a + b) != pieces.digest(b + a)


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(bytes(100))
    monkeypatch.setattr(pieces, "_starts", lambda size: (tmp_path / "f").write_bytes(b"") or [0])
    with pytest.raises(OSError, match="became shorter"):
        pieces.read(tmp_path / "f")
