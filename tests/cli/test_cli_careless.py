"""Files that are not what a command takes: one short error, and never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from trtnet.cli.main import app
from trtnet.support.errors import TrtnetError

FILES = {
    "empty.onnx": b"", "junk.onnx": bytes(range(200)), "deep.json": b"[" * 100_000, "empty.json": b"",
    "nan.json": b"NaN", "list.json": b"[]", "cut.json": b'{"a": [1,', "empty.engine": b"",
    "junk.engine": bytes(range(200)),
}  # fmt: skip
COMMANDS = {
    "inspect": ("inspect", "{}"),
    "draw": ("draw", "{}", "-o", "d.svg"),
    "diff": ("diff", "lenet", "{}"),
    "compare": ("compare", "{}", "w.npz"),
    "expected": ("compare", "w.npz", "{}"),
    "run": ("run", "{}", "--random", "0"),
    "ls": ("weights", "ls", "{}"),
    "verify": ("weights", "verify", "{}"),
    "refit": ("refit", "{}", "--weights", "w.npz"),
    "convert": ("convert", "{}", "c.safetensors"),
    "rules": ("convert", "w.npz", "c.safetensors", "--rules", "{}"),
    "profile": ("draw", "lenet", "-o", "d.svg", "--profile", "{}"),
    "dtype": ("inspect", "lenet", "--dtype", "{}"),
    "config": ("inspect", "lenet", "--config", "{}"),
    "inputs": ("compare", "lenet", "w.npz", "--inputs", "{}"),
    "triton": ("export", "triton", "{}", "-o", "repository", "--name", "m"),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_file(name: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).write_bytes(FILES[file])
    np.savez("w.npz", a=np.ones(3, np.float32))
    before = sorted(tmp_path.iterdir())
    found = CliRunner().invoke(app, [text.format(file) for text in COMMANDS[name]])
    assert isinstance(found.exception, TrtnetError), found.exception
    assert len(str(found.exception)) < 1500
    assert sorted(tmp_path.iterdir()) == before
