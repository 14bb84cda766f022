"""A name that matches nothing is never silent, in any command: an error that says so, or a warning."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.comparing import random_weights
from typer.testing import CliRunner, Result

import trtnet
from trtnet import models, nn
from trtnet.checkpoint import IGNORED
from trtnet.cli.main import app
from trtnet.support.errors import CheckpointError, DTypeError, InputError, ModelError, TrtnetError

ORIGINAL = """
import torch
from torch import nn

class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, image):
        x = torch.max_pool2d(torch.relu(self.conv1(image)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x.flatten(1))))))
"""
WEIGHTS, SIZE, RANGE = ("--weights", "w.npz"), ("--dim", "batch=2"), ("--dim", "batch=1:1:2")
LENET = {
    "build": ("build", "lenet", "-o", "x.engine", *RANGE),
    "run": ("run", "lenet", "--random", "0", *SIZE),
    "compare": ("compare", "lenet", "torch:original.py:LeNet", *SIZE),
    "bisect": ("bisect", "lenet", "--torch", "original.py:LeNet", *SIZE),
    "precision": ("precision", "lenet", "--torch", "original.py:LeNet", *SIZE),
    "inspect": ("inspect", "lenet"),
    "diff": ("diff", "lenet", "lenet"),
    "draw": ("draw", "lenet", "-o", "d.json"),
    "export": ("export", "polygraphy", "lenet", "-o", "s.py", *RANGE),
}
"""Commands on a model, which have all options beside --weights."""
FILES = {"convert": ("convert", "{}", "out.npz.safetensors"), "ls": ("weights", "ls", "{}")}
REFIT = {"refit": ("refit", "lenet.engine")}


def commands(file: str) -> dict[str, tuple[str, ...]]:
    """All that read a checkpoint by --key, --strip-prefix and --rules."""
    of_weights = {name: (*texts, "--weights", file) for name, texts in (LENET | REFIT).items()}
    return of_weights | {name: tuple(text.format(file) for text in texts) for name, texts in FILES.items()}


READING = commands("w.npz")
PARTS = commands("two.pth") | {
    "verify": ("weights", "verify", "two.pth"),
    "weights diff": ("weights", "diff", "two.pth", "w.npz"),
}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A folder with weights, a training file of two parts, torch's LeNet and an engine."""
    path = tmp_path_factory.mktemp("names")
    weights = random_weights(models.lenet())
    np.savez(path / "w.npz", **weights)
    tensors = {key: torch.from_numpy(array) for key, array in weights.items()}
    torch.save({"model": tensors, "model_ema": {key: x * 2 for key, x in tensors.items()}}, path / "two.pth")
    (path / "original.py").write_text(ORIGINAL)
    trtnet.define(models.lenet(), weights=weights).build({"batch": 2}).save(path / "lenet.engine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        yield path


def run(*texts: str) -> Result:
    return CliRunner().invoke(app, texts, catch_exceptions=True)


def refused(kind: type[Exception], words: str, *texts: str) -> None:
    found = run(*texts)
    assert isinstance(found.exception, kind), found.output
    assert words in str(found.exception)


@pytest.mark.parametrize("name", READING)
def test_a_prefix_that_no_key_has(name: str) -> None:
    words = "w.npz: --strip-prefix fc1.w: fc1.bias does not begin with it, as 9 of 10 keys"
    refused(CheckpointError, words.replace("fc1.bias", "conv1.weight"), *READING[name], "--strip-prefix", "fc1.w")
    refused(CheckpointError, "no key begins with it; nearest: ", *READING[name], "--strip-prefix", "module.")


@pytest.mark.parametrize("name", READING)
def test_rules_that_are_not_there_or_match_nothing(name: str) -> None:
    refused(CheckpointError, "there are no rules for 'vti'; there are bert, ", *READING[name], "--rules", "vti")
    refused(CheckpointError, "cannot read the rules mine.toml: No such file", *READING[name], "--rules", "mine.toml")
    refused(CheckpointError, "of vit: no key matches '^vit", *READING[name], "--rules", "vit")
    refused(CheckpointError, "of unwrap: no key matches the name of a wrapper", *READING[name], "--rules", "unwrap")


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_not_there(name: str) -> None:
    words = "two.pth has no part 'ema'; its state dicts are: model, model_ema"
    refused(CheckpointError, words, *PARTS[name], "--key", "ema")
    refused(CheckpointError, "two.pth has several state dicts: ", *PARTS[name])


@pytest.mark.parametrize("name", LENET)
def test_a_pattern_to_ignore_that_ignores_nothing_is_warned_of(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Also one of a key that the model needs, which is never ignored."""
    with caplog.at_level(logging.WARNING):
        assert run(*LENET[name], *WEIGHTS, "--ignore", "^extra", "--ignore", "^fc1").exit_code == 0
    for pattern in ("^extra", "^fc1"):
        assert f"w.npz: the pattern '{pattern}' ignores no key; the model takes all keys" in caplog.text
    refused(ModelError, "--ignore '[' is not a regular expression", *LENET[name], *WEIGHTS, "--ignore", "[")


def test_a_warning_is_said_once_a_command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from trtnet.cli import main

    monkeypatch.setattr("sys.argv", ["trtnet", *LENET["diff"], *WEIGHTS, "--ignore", "^extra"])
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code in (0, None)
    assert capfd.readouterr().err.count("ignores no key") == 1


def test_convert_ignores_what_a_model_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    np.savez("more.npz", **np.load("w.npz"), extra=np.ones(3, np.float32))
    command = ("convert", "more.npz", "more.safetensors")
    refused(ModelError, "--ignore lists keys that the model of --model may leave out", *command, "--ignore", "^extra$")
    refused(trtnet.WeightsError, "unexpected", *command, "--model", "lenet")
    assert run(*command, "--model", "lenet", "--ignore", "^extra$").exit_code == 0
    assert caplog.text == ""


@pytest.mark.parametrize("name", LENET)
def test_a_dimension_that_no_input_has(name: str) -> None:
    command = (*LENET[name], *WEIGHTS, "--dim", "hatch=2")
    if name in ("compare", "bisect", "precision"):
        refused(InputError, "a size for hatch, which no input has; the dynamic dimensions are batch", *command)
    else:
        refused(ModelError, "--dim hatch: no input has this dimension; the dynamic ones are batch", *command)


@pytest.mark.parametrize("name", {**LENET, "convert": FILES["convert"]})
def test_an_unknown_dtype(name: str) -> None:
    option = "--narrow" if name == "precision" else "--dtype"
    refused(DTypeError, "unknown dtype 'flota16'", *READING[name], option, "flota16")


@pytest.mark.parametrize(
    "option", ["--weights=w.npz", "--dtype=fp16", "--arg=a=1", "--rules=vit", "--declare=x=1", "--ignore=a"]
)
@pytest.mark.parametrize("command", [("inspect",), ("draw", "-o", "d.json"), ("run",), ("diff", "lenet.engine")])
def test_what_is_said_of_a_model_where_there_is_none(command: tuple[str, ...], option: str) -> None:
    words = f"lenet.engine is not a model, so it takes no {option.partition('=')[0]}; a model is named"
    refused(ModelError, words, *command, "lenet.engine", option)


def test_the_same_from_python(caplog: pytest.LogCaptureFixture) -> None:
    weights = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32), "extra": np.zeros(2, np.float32)}
    with caplog.at_level(logging.WARNING):
        trtnet.define(nn.Linear(3, 2), {"x": trtnet.Input((1, 3))}, weights, ignored=(*IGNORED, "^extra$"))
        assert caplog.text == ""
        with pytest.raises(trtnet.WeightsError, match="0 missing, 1 unexpected"):
            trtnet.define(nn.Linear(3, 2), {"x": trtnet.Input((1, 3))}, weights, ignored=["^exrta$"])
    assert "a mapping of 3 tensors: the pattern '^exrta$' ignores no key; nearest: extra" in caplog.text
    with pytest.raises(CheckpointError, match=r"the pattern of keys to ignore '\[' is not a regular expression"):
        trtnet.define(nn.Linear(3, 2), {"x": trtnet.Input((1, 3))}, weights, ignored=["["])


def test_parts_of_two_training_files() -> None:
    parts = ("weights", "diff", "two.pth", "two.pth", "--values", "--key", "model", "--other-key")
    assert run(*parts, "model").exit_code == 0
    assert run(*parts, "model_ema").exit_code == 1
    assert run("weights", "verify", "two.pth", "--key", "model").exit_code == 0


WRONG_KINDS = {
    "weights ls e.engine": "e.engine is not a checkpoint, but an engine of TensorRT: look at it with trtnet inspect",
    "run e.engine.json --random 0": "e.engine.json describes an engine, it is none: name the engine, e.engine",
    "run w.npz --random 0": "w.npz is not a plan of TensorRT: it begins with b'PK",
    "compare torch:m.py:M": "torch:m.py:M runs in torch: name what is compared with it first",
    "run m:M": "did you mean m.py:M?",
    "quantize lenet -o q.safetensors": "give data, --data FILE.npz, or a scheme of weights, such as int8_weights",
}


def test_files_of_another_kind_are_told_where_they_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("e.engine").write_bytes(b"vtrt" + bytes(100))
    np.savez("w.npz", a=np.ones(1))
    for name in ("e.engine.json", "m.py"):
        Path(name).write_text("{}")
    for line, words in WRONG_KINDS.items():
        found = CliRunner().invoke(app, line.split())
        assert isinstance(found.exception, TrtnetError) and words in str(found.exception), line
