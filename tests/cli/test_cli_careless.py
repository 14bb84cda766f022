"""What no command takes, files, names, places and numbers: one short error, nothing written, never a crash."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.comparing import random_weights
from safetensors.numpy import save_file
from typer.testing import CliRunner

import trtnet
from trtnet.cli.main import app
from trtnet.models import lenet
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


HUGE = "1" + "0" * 30
NAMES = {
    "empty": "", "a folder": ".", "a file as a folder": "w.npz/x", "none": "批.npz",
    "long": "a" * 300, "longer": "a" * 5000,
}  # fmt: skip
SIZES = (
    f"batch={HUGE}", "batch=9223372036854775808", "batch=-1", "batch=0", "batch=5:4:3", "batch=1:2", "batch=1e9",
    "batch=", "=1", "batch", "批=1", "b\0=1",
)  # fmt: skip
SIZED = {
    "build": ("build", "lenet", "--weights", "w.npz", "-o", "x.engine"),
    "run": ("run", "lenet", "--weights", "w.npz", "--random", "0"),
    "compare": ("compare", "lenet", "torch:original.py:LeNet", "--weights", "w.npz"),
    "bisect": ("bisect", "lenet", "--weights", "w.npz", "--torch", "original.py:LeNet"),
    "precision": ("precision", "lenet", "--weights", "w.npz", "--torch", "original.py:LeNet"),
    "bench": ("bench", "lenet"),
    "warm": ("warm", "lenet.engine"),
    "inspect": ("inspect", "lenet"),
    "diff": ("diff", "lenet", "lenet"),
    "draw": ("draw", "lenet", "-o", "d.svg"),
    "export": ("export", "polygraphy", "lenet", "--weights", "w.npz", "-o", "s.py"),
}
"""Commands that take --dim."""
TRITON = ("export", "triton", "lenet.engine", "-o", "repository", "--name", "m", "--python")
ONE = "--dim", "batch=1"
NUMBERS = [
    *((*SIZED["build"], *ONE, "--workspace", text) for text in ("-1", HUGE, "nan", "1e400GiB", "")),
    *((*SIZED["build"], *ONE, "--optimization-level", text) for text in ("-1", "99", HUGE)),
    *((*SIZED["build"], *ONE, "--compute-capability", text) for text in ("x", "-1", "8.9.1", "\0")),
    *((*SIZED[name], *ONE, "--random", text) for name in ("compare", "bisect", "precision") for text in ("-1", "x")),
    ("run", "lenet", "--weights", "w.npz", *ONE, "--random", "-1"),
    *(
        (*SIZED[name], *ONE, "--range", f"image={text}")
        for name in ("compare", "bisect", "precision")
        for text in ("1:0", "nan:1", "0:inf", f"0:1{'0' * 400}", "-1e308:1e308", "")
    ),
    *((*SIZED["run"], *ONE, "--declare", f"image={text}") for text in (HUGE, "-5,1,28,28", "", "1,1,28,28:float")),
    *((*SIZED["run"], "--dim", "batch=2147483647", "--random", "0"),),
    *((*SIZED["compare"], "--dim", "batch=2147483647"),),
    *((*SIZED["compare"], *ONE, option, "nan") for option in ("--relative-l2", "--cosine", "--atol", "--rtol")),
    *((*SIZED["compare"], *ONE, option, text) for option in ("--iterations", "--steps") for text in ("0", "-1")),
    *((*SIZED["precision"], *ONE, "--relative-l2", text) for text in ("nan", "-1")),
    (*SIZED["draw"], "--depth", "0"),
    *((*SIZED[name], "--depth", "-1") for name in ("inspect", "draw")),
    *((*SIZED["bench"], *ONE, "--percentile", text) for text in ("101", "-1")),
    *((*SIZED["bench"], *ONE, option, "-1") for option in ("--warm-up", "--duration", "--streams", "--profile-index")),
    *((*TRITON, option, "-1") for option in ("--delay", "--instances", "--version", "--max-batch-size")),
    *((*TRITON, option, HUGE) for option in ("--delay", "--instances", "--version", "--max-batch-size")),
]  # fmt: skip
"""Numbers that no command takes; what it was called with else is right."""
WRITING = {
    "build": ("build", "lenet", "--weights", "w.npz", *ONE, "-o", "{}.engine"),
    "refit": ("refit", "lenet.engine", "--weights", "w.npz", "-o", "{}.engine"),
    "run": ("run", "lenet", "--weights", "w.npz", *ONE, "--random", "0", "--save", "{}.npz"),
    "convert": ("convert", "w.npz", "{}.safetensors"),
    "wts": ("convert", "w.npz", "{}.wts"),
    "draw": ("draw", "lenet", "-o", "{}.svg"),
    "polygraphy": ("export", "polygraphy", "lenet", "--weights", "w.npz", *ONE, "-o", "{}.py"),
    "html": (*SIZED["compare"], *ONE, "--html", "{}.html"),
    "inputs": (*SIZED["compare"], *ONE, "--save-inputs", "{}.json"),
    "outputs": (*SIZED["compare"], *ONE, "--save-outputs", "{}.json"),
    "plot": (*SIZED["bench"], *ONE, "--plot", "{}.png"),
    "times": (*SIZED["bench"], *ONE, "--export-times", "{}.json"),
    "models": ("models", "--json", "{}.json"),
    "doctor": ("doctor", "--json", "{}.json"),
    "ls": ("weights", "ls", "w.npz", "--json", "{}.json"),
    "verify": ("weights", "verify", "w.npz", "--json", "{}.json"),
    "weights diff": ("weights", "diff", "w.npz", "w.npz", "--json", "{}.json"),
    "build's JSON": (*SIZED["build"], *ONE, "--json", "{}.json"),
    "run's JSON": (*SIZED["run"], *ONE, "--json", "{}.json"),
    "draw's JSON": (*SIZED["draw"], "--json", "{}.json"),
    "export's JSON": (*SIZED["export"], *ONE, "--json", "{}.json"),
    "inspect's JSON": (*SIZED["inspect"], "--json", "{}.json"),
    "diff's JSON": (*SIZED["diff"], "--json", "{}.json"),
    "bisect's JSON": (*SIZED["bisect"], *ONE, "--json", "{}.json"),
    "precision's JSON": (*SIZED["precision"], *ONE, "--json", "{}.json"),
}
PLACES = {
    "no folder": "no/such/x",
    "a file as a folder": "w.npz/x",
    "long": "a" * 300,
    "NUL": "a\0",
    "folder": "folder",
}
ORIGINAL = """
from torch import nn

def LeNet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of right files, one of each kind."""
    folder = tmp_path_factory.mktemp("right")
    weights = random_weights(lenet())
    np.savez(folder / "w.npz", **weights)
    save_file(weights, folder / "w.safetensors")
    torch.save({key: torch.tensor(array) for key, array in weights.items()}, folder / "w.pth")
    (folder / "original.py").write_text(ORIGINAL)
    (folder / "rules.toml").write_text('[[rule]]\ntype = "rename"\nfrom = "a"\nto = "b"\n')
    (folder / "lenet.json").write_text('{"num_classes": 10}')
    trtnet.define(lenet(), weights=weights).build({"batch": 1}).save(folder / "lenet.engine")
    return folder


@pytest.fixture
def inside(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, in which the command is called."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(command: tuple[str, ...], folder: Path, longest: int = 1500) -> str:
    """What a command answers that it refuses: nothing is written, nothing crashes, and the answer is short."""
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    found = CliRunner().invoke(app, list(command))
    error = found.exception
    assert isinstance(error, TrtnetError) or (isinstance(error, SystemExit) and error.code in (1, 2)), repr(error)
    assert len(str(error)) < longest
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "__pycache__"} == before
    return str(error)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SIZED)
def test_a_wrong_size(name: str, size: str, inside: Path) -> None:
    refused((*SIZED[name], "--dim", size), inside)


@pytest.mark.parametrize("command", NUMBERS, ids=lambda command: " ".join((command[0], *command[-2:]))[:60])
def test_a_wrong_number(command: tuple[str, ...], inside: Path) -> None:
    refused(command, inside)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_name(name: str, kind: str, inside: Path) -> None:
    refused(tuple(text.format(NAMES[kind]) for text in COMMANDS[name]), inside, 1500 + 2 * len(NAMES[kind]))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", WRITING)
def test_a_place_that_cannot_be_written(name: str, place: str, inside: Path) -> None:
    command = tuple(text.format(PLACES[place]) for text in WRITING[name])
    if place == "folder":
        (inside / next(text for text in command if text.startswith("folder."))).mkdir()
    refused(command, inside)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("lenet.engine", ("inspect", "lenet.engine")),
        ("lenet.engine", ("run", "lenet.engine", "--random", "0")),
        ("lenet.engine", TRITON),
        ("lenet.engine.json", ("inspect", "lenet.engine")),
        ("lenet.engine.json", ("run", "lenet.engine", "--random", "0")),
        ("lenet.engine.json", TRITON),
        *((file, ("weights", "ls", file)) for file in ("w.npz", "w.pth", "w.safetensors")),
        *((file, ("convert", file, "c.safetensors")) for file in ("w.npz", "w.pth", "w.safetensors")),
        *((file, (*SIZED["run"][:3], file, "--random", "0", *ONE)) for file in ("w.npz", "w.pth", "w.safetensors")),
        ("rules.toml", ("convert", "w.npz", "c.safetensors", "--rules", "rules.toml")),
        ("lenet.json", ("inspect", "lenet", "--config", "lenet.json")),
        ("original.py", (*SIZED["compare"], *ONE)),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_file_that_is_cut_short(file: str, command: tuple[str, ...], part: float, inside: Path) -> None:
    whole = (inside / file).read_bytes()
    (inside / file).write_bytes(whole[: int(part * len(whole))])
    refused(command, inside)


@pytest.mark.parametrize("name", ["build", "run", "convert", "wts", "draw", "polygraphy", "html", "outputs"])
def test_what_was_there_stays_where_a_command_fails(name: str, inside: Path) -> None:
    command = tuple(text.format("there") for text in WRITING[name])
    (there,) = (inside / text for text in command if text.startswith("there."))
    there.write_text("precious")
    refused((*command, "--dtype", "float17"), inside)
    assert there.read_text() == "precious"


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
