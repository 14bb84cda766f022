"""Options that several commands have mean the same in each: run in this process, since each takes seconds to start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import random_weights
from typer.testing import CliRunner, Result

import trtnet
from trtnet import models
from trtnet.checkpoint import open_checkpoint
from trtnet.cli.main import app
from trtnet.support.errors import CheckpointError, ModelError
from trtnet.tools.bisect import renamed
from trtnet.tools.targets import arguments

CHOSEN = ("--key", "model_ema", "--strip-prefix", "net.", "--ignore", "^extra")


def run(*texts: object) -> Result:
    return CliRunner().invoke(app, [str(text) for text in texts], catch_exceptions=True)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A training file: two parts, keys behind a prefix, and a tensor that the model has not."""
    weights = random_weights(models.lenet())
    ema = {f"net.{key}": torch.from_numpy(array * 2) for key, array in weights.items()}
    document = {"model": {key: torch.from_numpy(array) for key, array in weights.items()}, "model_ema": ema}
    document["model_ema"]["net.extra.scale"] = torch.ones(3)
    path = tmp_path_factory.mktemp("training") / "last.pth"
    torch.save(document, path)
    return path, {key: array * 2 for key, array in weights.items()}


def test_build_and_run_and_convert_take_the_same_part(training: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, weights = training
    engine = tmp_path / "l.engine"
    built = run("build", "lenet", "--weights", path, *CHOSEN, "--dtype", "fp16", "--dim", "batch=2", "-o", engine)
    assert built.exit_code == 0, built.output
    info = json.loads(Path(f"{engine}.json").read_text())
    assert info["dtype"] == "float16"
    ran = run(
        "run", "lenet", "--weights", path, *CHOSEN, "--random", 0, "--dim", "batch=2", "--save", tmp_path / "y.npz"
    )
    assert ran.exit_code == 0, ran.output
    image = np.random.default_rng(0).standard_normal((2, 1, 28, 28), np.float32)
    expected = trtnet.define(models.lenet(), weights=weights).reference()(image)
    np.testing.assert_allclose(np.load(tmp_path / "y.npz")["output"], expected, rtol=1e-6)
    converted = run("convert", path, tmp_path / "c.safetensors", *CHOSEN[:4])
    assert converted.exit_code == 0, converted.output
    np.testing.assert_array_equal(open_checkpoint(tmp_path / "c.safetensors")["fc1.weight"], weights["fc1.weight"])


@pytest.mark.parametrize(
    "command",
    [("inspect", "lenet"), ("draw", "lenet", "-o", "d.json"), ("diff", "lenet", "lenet", "--values")],
)
def test_commands_that_look_take_it_too(
    command: tuple[str, ...], training: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, _ = training
    assert run(*command, "--weights", path, *CHOSEN, "--dtype", "bf16").exit_code == 0
    without = run(*command, "--weights", path)
    assert isinstance(without.exception, CheckpointError) and "model_ema" in str(without.exception)


def test_an_option_of_weights_without_weights() -> None:
    found = run("inspect", "lenet", "--key", "model")
    assert isinstance(found.exception, ModelError)
    assert "--key says how a checkpoint is read: give it by --weights FILE" in str(found.exception)


def test_what_precision_wrote_is_a_dtype(tmp_path: Path) -> None:
    (tmp_path / "prec.json").write_text(json.dumps({"mapping": {"": "fp16", "fc3": "float32"}, "total": 6}))
    assert arguments.dtype(str(tmp_path / "prec.json")) == {"": "float16", "fc3": "float32"}
    (tmp_path / "plain.json").write_text(json.dumps({"": "bf16"}))
    assert arguments.dtype(str(tmp_path / "plain.json")) == {"": "bfloat16"}
    assert run("inspect", "lenet", "--dtype", tmp_path / "prec.json").exit_code == 0
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(ModelError, match="write what trtnet precision --json does"):
        arguments.dtype(str(tmp_path / "other.json"))
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        arguments.dtype(str(tmp_path / "none.json"))


@pytest.mark.parametrize("text", ["batch=0", "batch=0:0:0"])
def test_nothing_is_not_a_size(text: str) -> None:
    with pytest.raises(ModelError, match=f"--dim {text}: a size is at least 1; only the minimum of a range may be 0"):
        arguments.dims([text])
    assert arguments.dims(["batch=0:1:8"]) == {"batch": (0, 1, 8)}


def test_help_and_version() -> None:
    assert "Usage" in run("build", "-h").output and "Usage" in run("-h").output
    assert run("--version").output == f"trtnet {trtnet.__version__}\n"


def test_names_are_whole_in_a_pipe(tmp_path: Path) -> None:
    key = "a_very_long_name.of_a_module." * 6 + "weight"
    torch.save({key: torch.ones(2)}, tmp_path / "w.pth")
    assert key in run("weights", "ls", tmp_path / "w.pth").output


def test_control_c_while_the_command_is_imported() -> None:
    """The first half second of a command is spent on imports."""
    program = "import sys; sys.modules['typer'] = type('Interrupting', (), {'__getattr__': lambda s, n: stop()})()\n"
    program += "def stop(): raise KeyboardInterrupt\nfrom trtnet.__main__ import main\nmain()"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (130, "interrupted\n")


def test_what_is_said_twice_of_one_name_is_refused() -> None:
    twice: tuple[tuple[list[str], Any], ...] = (
        (["x=1,3", "x=2,3"], arguments.inputs),
        (["batch=1", "batch=2"], arguments.dims),
        (["x=0:1", "x=5:6"], arguments.ranges),
        (["a=b", "a=c"], renamed),
    )
    for texts, read in twice:
        with pytest.raises(ModelError, match=r"^--(declare x|dim batch|range x|name a) is given twice$"):
            read(texts)
