"""`trtnet bisect` and `trtnet precision`, as a user runs them, with files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.cli.command import trtnet
from helpers.verify.planted import BUGS
from safetensors.torch import save_file
from typer.testing import CliRunner

from trtnet.cli.main import app
from trtnet.verify.arrays.saved import write_inputs

PLANTED = """
from helpers.verify.planted import BUGS
def ours(): return BUGS[{name!r}]().model
def original(): return BUGS[{name!r}]().original
"""


def planted(name: str, folder: Path) -> list[str]:
    """The arguments that name a bug's model, weights and original."""
    bug = BUGS[name]()
    (folder / "bug.py").write_text(PLANTED.format(name=name))
    save_file({k: v.contiguous() for k, v in bug.original.state_dict().items()}, folder / "w.safetensors")
    return ["bug.py:ours", "--weights", "w.safetensors", "--torch", "bug.py:original"]


@pytest.mark.parametrize("name", ["tanh_gelu", "wrong_axis"])
def test_one_command_names_the_module(name: str, tmp_path: Path) -> None:
    command = ["bisect", *planted(name, tmp_path), "--dim", "batch=2", "--random", "0", "--html", "b.html"]
    result = trtnet(*command, "--json", "b.json", folder=tmp_path)
    assert result.returncode == 1, result.stderr
    found = json.loads((tmp_path / "b.json").read_text())
    assert found["module"] == BUGS[name]().module and len(found["findings"]) == 1
    assert f"{found['module'] or '(the model)'} (" in result.stdout and "computes something else" in result.stdout
    assert found["module"] in (tmp_path / "b.html").read_text()


def test_a_right_model_exits_with_0_and_precision_says_that_float16_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["lenet", *planted("wrong_axis", tmp_path)[1:], "--dim", "batch=2"]
    result = CliRunner().invoke(app, ["bisect", *arguments])
    assert result.exit_code == 0 and "no module computes anything else than its original" in result.stdout
    found = CliRunner().invoke(app, ["precision", *arguments, "--json", "p.json"])
    assert found.exit_code == 0 and "0 of 6 modules (0.0%)" in found.stdout
    for command in ("bisect", "precision"):
        chosen = CliRunner().invoke(app, [command, *arguments, "--output", "logits=output"])
        assert str(chosen.exception) == "outputs= names 'logits'; there are output"
    page = CliRunner().invoke(app, ["bisect", *arguments, "--html", "b.json"])
    assert str(page.exception) == "b.json: a page is written as .html or .htm: give the file a name that ends so"
    assert json.loads((tmp_path / "p.json").read_text())["mapping"] == {"": "float16"}
    assert "the values of image were random" in found.stdout
    image = np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype(np.float32)
    write_inputs(tmp_path / "i.json", [{"image": image}, {"image": image * 2}])
    several = CliRunner().invoke(app, ["precision", *arguments, "--inputs", "i.json"])
    assert several.exit_code == 0 and "0 of 6 modules (0.0%)" in several.stdout and "random" not in several.stdout
    both = CliRunner().invoke(app, ["precision", *arguments, "--inputs", "i.json", "--input", "image=i.npy"])
    assert "use either" in str(both.exception)


def test_weights_that_do_not_fit_the_original_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["lenet", *planted("wrong_axis", tmp_path)[1:-1], "other.py:original", "--dim", "batch=2"]
    (tmp_path / "other.py").write_text("import torch\ndef original(): return torch.nn.Linear(2, 3)\n")
    error = str(CliRunner().invoke(app, ["bisect", *arguments]).exception)
    assert "missing weight, bias, unexpected conv1.bias" in error and "--no-load" in error
    kept = CliRunner().invoke(app, ["bisect", *arguments, "--no-load"]).exception
    assert "the torch module Linear does not run on image [2, 1, 28, 28] float32: RuntimeError: mat1" in str(kept)
