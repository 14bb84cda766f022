"""The wheel, in an environment of its own, has what the editable install has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "trtnet").rglob("*.py")}
    assert set(listed) == there | {"trtnet.models", "trtnet.weights"}


def test_the_wheel_brings_models_and_weights(tmp_path: Path) -> None:
    pip = sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"
    build = "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)
    copy = tmp_path / "source"
    for folder in ("trtnet", "models", "weights"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy / file)
    run(*pip, *build, str(copy), folder=tmp_path)
    (wheel,) = tmp_path.glob("trtnet-*.whl")
    venv.create(tmp_path / "venv", with_pip=False)
    python = str(tmp_path / "venv" / "bin" / "python")
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path).strip()
    run(*pip, "install", "--no-deps", "--target", site, str(wheel), folder=tmp_path)
    # its dependencies come from this environment, its own code must not
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
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
