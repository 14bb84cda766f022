"""The wheel, in an environment of its own, has what the editable install has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str, folder: Path) -> str:
    """Its output, without the folders of modules that this process was given: what is installed is tested."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "trtnet").rglob("*.py")}
    assert set(listed) == there | {"trtnet.models", "trtnet.weights"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from: a build leaves files there."""
    copy = tmp_path_factory.mktemp("source")
    for folder in ("trtnet", "models", "weights"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy / file)
    return copy


def install(source: Path, folder: Path, *, editable: bool) -> str:
    """The Python of a new environment that has trtnet. Its dependencies are this environment's, its code is not."""
    venv.create(folder / "venv", with_pip=False)
    python = str(folder / "venv" / "bin" / "python")
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    (Path(site) / "dependencies.pth").write_text("\n".join(p for p in sys.path if Path(p).name == "site-packages"))
    pip = sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"
    if editable:  # type checkers follow links, not the import hooks of the default mode
        how = "--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=strict"
        run(*pip, "--python", python, "install", *how, "--editable", str(source), folder=folder)
        return python
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source), folder=folder)
    (wheel,) = folder.glob("trtnet-*.whl")
    run(*pip, "install", "--no-deps", "--target", site, str(wheel), folder=folder)
    return python


@pytest.fixture(scope="module")
def python(source: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment with the wheel."""
    return install(source, tmp_path_factory.mktemp("wheel"), editable=False)


def test_the_wheel_brings_models_and_weights(python: str, tmp_path: Path) -> None:
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path).strip()
    program = (
        "import trtnet.models, trtnet.weights, trtnet.models.resnet as r; from importlib.resources import files;"
        "print(r.__file__); print(files('trtnet.weights').joinpath('lenet.safetensors').is_file());"
        "print(files('trtnet').joinpath('py.typed').is_file());"
        "print(len(trtnet.weights.rules('vit').rules) > 5 and len(trtnet.weights.families()) > 10);"
        "from trtnet.tools.explain import explain; print(len(explain('BuildCanceled') + explain('max_workspace_size')))"
    )
    where, weights, typed, rules, explained = run(python, "-c", program, folder=tmp_path).split()
    assert Path(where) == Path(site) / "trtnet" / "models" / "resnet.py"
    assert (weights, typed, rules, explained) == ("True", "True", "True", "3")


USER = """
import numpy as np

import trtnet
from trtnet import models, nn, ops
from trtnet.models.qwen2 import Qwen2, Qwen2Config


class Net(nn.Module):
    inputs = {"x": trtnet.Input(("batch", 3))}

    def __init__(self) -> None:
        self.fc = nn.Linear(3, 2)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.relu(self.fc(x))


def small() -> Qwen2:
    return models.qwen2(Qwen2Config(num_hidden_layers=2), capacity=16)


def engine() -> trtnet.Engine:
    weights = {"fc.weight": np.ones((2, 3), np.float32), "fc.bias": np.zeros(2, np.float32)}
    network: trtnet.DefinedNetwork = trtnet.define(Net(), weights=weights)
    return network.build(dims={"batch": (1, 2, 4)})
"""
WRONG = """
import trtnet
from trtnet import models, nn

layer: int = nn.Linear(3, 2)
model: int = models.qwen2()
trtnet.Input(3)
"""


def check_types(python: str, folder: Path) -> None:
    """A typed program passes strict checks, and one with mistakes fails at each: nothing is Any."""
    (folder / "user.py").write_text(USER)
    (folder / "wrong.py").write_text(WRONG)
    skipped = ",".join(f"{name}.*" for name in ("torch", "transformers", "timm", "huggingface_hub", "gguf"))
    (folder / "mypy.ini").write_text(f"[mypy]\n[mypy-{skipped}]\nfollow_imports = skip\n")  # they take minutes
    mypy = sys.executable, "-m", "mypy", "--python-executable", python, "--strict", "user.py", "wrong.py"
    done = subprocess.run(mypy, cwd=folder, capture_output=True, text=True)
    found = [line.partition(": error: ")[0] for line in done.stdout.splitlines() if ": error: " in line]
    assert found == ["wrong.py:5", "wrong.py:6", "wrong.py:7"], done.stdout + done.stderr


def test_a_typed_program_passes_mypy_against_the_wheel(python: str, tmp_path: Path) -> None:
    check_types(python, tmp_path)


def test_a_typed_program_passes_mypy_against_an_editable_install(source: Path, tmp_path: Path) -> None:
    check_types(install(source, tmp_path, editable=True), tmp_path)
