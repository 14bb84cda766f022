"""`trtnet export polygraphy`: polygraphy takes the script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.comparing import random_weights, relative_l2
from safetensors.numpy import save_file
from typer.testing import CliRunner

import trtnet
from trtnet.cli.main import app
from trtnet.models import lenet
from trtnet.reference import Reference
from trtnet.support import backend
from trtnet.support.errors import WeightsError
from trtnet.tools.export import polygraphy
from trtnet.tools.targets.networks import Choices

RTX = backend.name() == "tensorrt_rtx"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "lenet.safetensors"
    save_file(random_weights(lenet()), path)
    return str(path)


# polygraphy
def test_polygraphy_builds_the_script(weights: str, tmp_path: Path) -> None:
    choices = Choices(weights, "bfloat16", ["batch=1:2:4"])
    script = polygraphy.write("lenet", choices, tmp_path / "load it.py")
    (command,) = [line for line in script.commands if "convert" in line]
    assert "image:[1,1,28,28]" in command and "image:[4,1,28,28]" in command
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command, shell=True, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "max=[4, 1, 28, 28]" in result.stdout
    assert (tmp_path / "load it.engine").stat().st_size > 100_000


def test_polygraphys_loader_gets_the_models_network(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polygraphy.backend.common import InvokeFromScript

    monkeypatch.setenv("POLYGRAPHY_USE_TENSORRT_RTX", "1" if RTX else "0")
    monkeypatch.setenv("TRTNET_BACKEND", backend.name())
    polygraphy.write("lenet", Choices(weights, dims=["batch=2"]), tmp_path / "load.py")
    builder, network, owner = InvokeFromScript(str(tmp_path / "load.py"), "load_network")()
    assert isinstance(builder, backend.trt.Builder)
    image = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    expected = trtnet.define(lenet(), weights=weights).reference()(image)
    assert relative_l2(Reference(network, owner=owner)(image), expected) == 0
    with owner:  # as `polygraphy inspect model` enters what it takes for a parser
        pass


def test_a_model_of_the_users_own_is_named_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from trtnet import nn\n"
        "class Mine(nn.Module):\n"
        "    def __init__(self, width): self.fc = nn.Linear(3, width)\n"
        "    def forward(self, x): return self.fc(x)\n"
    )
    save_file(
        {"fc.weight": np.ones((2, 3), np.float32), "fc.bias": np.zeros(2, np.float32)}, tmp_path / "w.safetensors"
    )
    monkeypatch.chdir(tmp_path)
    choices = Choices("w.safetensors", dims=["n=1:2:3"], arguments=["width=2"], inputs=["x=n,3:float16"])
    polygraphy.write("mine.py:Mine", choices, "sub.py")
    text = (tmp_path / "sub.py").read_text()
    assert repr(f"{tmp_path}/mine.py:Mine") in text and repr(f"{tmp_path}/w.safetensors") in text
    assert "'x': trtnet.Input(shape=('n', 3), dtype='float16'" in text and "{'width': 2}" in text


def test_nothing_is_written_for_weights_that_do_not_fit(tmp_path: Path) -> None:
    save_file({"other": np.zeros(3, np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError):
        polygraphy.write("lenet", Choices(str(tmp_path / "w.safetensors")), tmp_path / "load.py")
    assert not (tmp_path / "load.py").exists()


# the command
def test_the_command(weights: str, tmp_path: Path) -> None:
    script = str(tmp_path / "load.py")
    result = CliRunner().invoke(
        app, ["export", "polygraphy", "lenet", "--weights", weights, "-o", script, "--json", "-"]
    )
    assert result.exit_code == 0 and json.loads(result.stdout)["path"] == script
