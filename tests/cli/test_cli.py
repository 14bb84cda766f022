"""The command line, as a user runs it, with files."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cli.command import process, trtnet
from helpers.comparing import random_weights
from safetensors.numpy import save_file

from trtnet import models


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "lenet.safetensors"
    save_file(random_weights(models.lenet()), path)
    return path


def test_models_lists_the_zoo(tmp_path: Path) -> None:
    result = process("models", "--json", "-", folder=tmp_path)
    listed = {model["name"]: model for model in json.loads(result.stdout)}
    assert set(listed) == set(models.__all__)
    assert listed["resnet50"]["parameters"] == 25_557_032
    assert listed["unet"]["inputs"] == {"image": "[batch, 2, 128, 128]"}
    assert "resnet50" in trtnet("models", folder=tmp_path).stdout


def test_build_writes_plan_and_sidecar(tmp_path: Path, weights: Path) -> None:
    build = "build", "lenet", "--weights", str(weights), "--dtype", "float16", "--dim", "batch=1:8:32", "-o", "l.engine"
    result = trtnet(*build, "--json", "r.json", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "1x1x28x28  8x1x28x28  32x1x28x28" in result.stdout
    sidecar = json.loads((tmp_path / "l.engine.json").read_text())
    assert sidecar["plan_bytes"] == (tmp_path / "l.engine").stat().st_size
    assert sidecar["inputs"] == [
        {"name": "image", "shape": ["batch", 1, 28, 28], "dtype": "float16", "values": [], "rows": 0}
    ]
    assert sidecar["outputs"] == [
        {"name": "output", "shape": ["batch", 10], "dtype": "float16", "values": [], "rows": 0}
    ]
    assert sidecar["profiles"] == [{"image": [[1, 1, 28, 28], [8, 1, 28, 28], [32, 1, 28, 28]]}]
    assert sidecar["model"] == "lenet" and len(sidecar["checkpoint_digest"]) == 64
    assert json.loads((tmp_path / "r.json").read_text())["bytes"] == sidecar["plan_bytes"]
    assert {path.name for path in tmp_path.iterdir()} == {"l.engine", "l.engine.json", "r.json"}


def test_a_fixed_size_makes_a_static_engine(tmp_path: Path, weights: Path) -> None:
    result = trtnet("build", "lenet", "--weights", str(weights), "--dim", "batch=4", "-o", "l.engine", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "l.engine.json").read_text())["inputs"][0]["shape"] == [4, 1, 28, 28]


def test_a_model_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from trtnet import nn, ops\n"
        "class Mine(nn.Module):\n"
        "    def __init__(self, width): self.fc = nn.Linear(3, width)\n"
        "    def forward(self, x): return ops.relu(self.fc(x))\n"
        "def mine(width=2): return Mine(width)\n"
    )
    save_file(
        {"fc.weight": np.ones((5, 3), np.float32), "fc.bias": np.zeros(5, np.float32)}, tmp_path / "w.safetensors"
    )
    shape = "--declare", "x=batch,3", "--dim", "batch=1:2:4", "--arg", "width=5"
    result = trtnet("build", "mine.py:mine", "--weights", "w.safetensors", *shape, "-o", "m.engine", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "m.engine.json").read_text())["arguments"] == {"width": 5}


def test_run_on_the_reference(tmp_path: Path, weights: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((3, 1, 28, 28), np.float32))
    common = "run", "lenet", "--weights", str(weights), "--input", "image=x.npy"
    result = trtnet(*common, "--save", "y.npz", "--json", "-", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    (output,) = json.loads(result.stdout)["outputs"]
    assert output["shape"] == [3, 10] and output["not_finite"] == 0
    assert np.load(tmp_path / "y.npz")["output"].shape == (3, 10)
    assert "output" in trtnet(*common, folder=tmp_path).stdout


def test_run_with_random_inputs(tmp_path: Path, weights: Path) -> None:
    common = "run", "lenet", "--weights", str(weights), "--random", "7", "--json", "-"
    first, again = (trtnet(*common, "--dim", "batch=2", folder=tmp_path) for _ in range(2))
    assert json.loads(first.stdout)["outputs"] == json.loads(again.stdout)["outputs"]
    missing = trtnet(*common, folder=tmp_path)
    assert missing.returncode == 2 and "give the size of batch, as in --dim batch=1" in missing.stderr


class Malicious:
    def __reduce__(self) -> Any:
        return os.mkdir, ("pwned",)


def test_run_needs_one_size_of_a_dimension(tmp_path: Path, weights: Path) -> None:
    sizes = "--random", "0", "--dim", "batch=1:2:4"
    result = trtnet("run", "lenet", "--weights", str(weights), *sizes, folder=tmp_path)
    assert result.returncode == 2 and "--dim batch: one size is needed here, as in batch=2" in result.stderr
    assert "min:opt:max" not in trtnet("run", "--help", folder=tmp_path).stdout


def bad_weights(folder: Path, kind: str, good: Path) -> str:
    state = random_weights(models.lenet())
    path = folder / "bad.safetensors"
    if kind == "missing key":
        state["fc3.weigth"] = state.pop("fc3.weight")
    elif kind == "extra key":
        state["fc4.weight"] = np.ones(3, np.float32)
    elif kind == "wrong shape":
        state["fc3.weight"] = np.ones((11, 84), np.float32)
    elif kind == "truncated":
        path.write_bytes(good.read_bytes()[:-100])
        return str(path)
    elif kind == "pickle":
        path = folder / "bad.pth"
        path.write_bytes(pickle.dumps({"conv1.weight": Malicious()}))
        return str(path)
    save_file(state, path)
    return str(path)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("missing key", r"fc3.weight"),
        ("extra key", r"fc4.weight"),
        ("wrong shape", r"fc3.weight"),
        ("truncated", r"bad.safetensors"),
        ("pickle", r"bad.pth"),
    ],
)
def test_bad_weights_leave_nothing_behind(tmp_path: Path, weights: Path, kind: str, text: str) -> None:
    bad = bad_weights(tmp_path, kind, weights)
    before = set(tmp_path.iterdir())
    result = trtnet("build", "lenet", "--weights", bad, "--dim", "batch=1", "-o", "l.engine", folder=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and text in result.stderr and "Traceback" not in result.stderr
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"model": "resnet51"},
            "unknown model 'resnet51'. The zoo has clip, clip_text, clip_vit_b_32, crepe, crnn, ",
        ),
        ({"model": "none.py:f"}, "no model file none.py"),
        ({"model": "none.py"}, "names no factory"),
        ({"--weights": "none.safetensors"}, "none.safetensors"),
        ({"-o": "no/folder/l.engine"}, "cannot write no/folder/l.engine: there is no folder no/folder: make it first"),
        ({"-o": "."}, "cannot write .: Is a directory"),
        ({"--dim": "batch=8:1:2"}, "min 8, opt 1, max 2"),
        ({"--dim": "batch=1:2"}, "a size is written 8, a range 1:8:32"),
        ({"--dim": "bacth=1:8:32"}, "no input has this dimension; the dynamic ones are batch"),
        ({"--dim": "batch"}, "--dim is written batch=1:8:32"),
        ({"--dtype": "float17"}, "unknown dtype 'float17'"),
        ({"--arg": "classes=3"}, "lenet takes no classes; did you mean num_classes?"),
        ({"--workspace": "much"}, "a size in bytes is written"),
        ({"--compute-capability": "6.1"}, "found '6.1'"),
        ({"--optimization-level": "9"}, "optimization_level is 0 to 5, found 9"),
    ],
)
def test_bad_arguments_are_clear_errors(tmp_path: Path, weights: Path, change: dict[str, str], text: str) -> None:
    options = {"--weights": str(weights), "--dim": "batch=1:2:4", "-o": "l.engine"} | change
    model = options.pop("model", "lenet")
    result = trtnet("build", model, *(part for pair in options.items() for part in pair), folder=tmp_path)
    assert result.returncode == 2, result.stdout
    assert text in result.stderr and "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_missing_dims_are_an_error(tmp_path: Path, weights: Path) -> None:
    result = trtnet("build", "lenet", "--weights", str(weights), "-o", "l.engine", folder=tmp_path)
    assert result.returncode == 2 and 'build(dims={"batch": (1, 8, 32)})' in result.stderr


def test_doctor_prints_json_and_works_without_tensorrt(tmp_path: Path) -> None:
    result = trtnet("doctor", "--json", "-", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert any("tensorrt_rtx" in json.dumps(finding) for finding in json.loads(result.stdout)["findings"])
    broken = process("doctor", folder=tmp_path, TRTNET_BACKEND="tensorrt")
    assert broken.returncode == 2 and "pip install" in broken.stdout


def test_without_a_backend_the_error_names_the_command_that_installs_one(tmp_path: Path, weights: Path) -> None:
    arguments = "build", "lenet", "--weights", str(weights), "-o", "l.engine"
    result = process(*arguments, folder=tmp_path, TRTNET_BACKEND="tensorrt")
    assert result.returncode == 2
    assert "TRTNET_BACKEND asks for tensorrt, which is not installed" in result.stderr
    assert "pip install 'trtnet[rtx]'" in result.stderr


MISTAKES = """
from trtnet import Input, nn, ops

class Plain(nn.Module):
    inputs = {"x": Input(("a", 8)), "y": Input(("b", 8))}
    def forward(self, x, y):
        return x + y

class Arity(Plain):
    def forward(self, x, y, z):
        return x + y + z

class Missing(Plain):
    def forward(self, x, y):
        return x.nothing()

class Broken(Plain):
    def __init__(self):
        self.width = self.height

class Inner(Plain):
    def forward(self, x, y):
        return nn.GELU()(x, y)

class Weighty(Plain):
    def __init__(self):
        self.fc = nn.Linear(8, 2)
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "Plain",
            "add: the layer does not take these values\n  in mistakes.py:7   return x + y\n  x  [2, 8]",
        ),
        ("Arity", "Arity.forward takes (x, y, z), the inputs are (x, y): missing a required argument: 'z'\n"),
        ("Arity", "\n  in mistakes.py:10   def forward(self, x, y, z):\n"),
        (
            "Missing",
            "AttributeError: a Tensor has no 'nothing'\n  in mistakes.py:15   return",
        ),
        ("Broken", "AttributeError: a Broken has no 'height'\n  in mistakes.py:19   self.width ="),
        ("Inner", "\n  in mistakes.py:23   return nn.GELU()(x, y)\n"),
        ("Weighty", "Weighty has 2 weights, such as fc.weight [2, 8], and was given none"),
    ],
)
def test_mistakes_in_a_model_are_short_errors_with_its_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    result = trtnet("run", f"mistakes.py:{name}", "--random", "0", "--dim", "a=2", "--dim", "b=3", folder=tmp_path)
    assert result.returncode == 2, result.stdout
    assert result.stderr.startswith("error: ") and text in result.stderr and "Traceback" not in result.stderr


def test_a_model_without_weights_needs_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    sizes = "--dim", "a=2", "--dim", "b=2"
    run = trtnet("run", "mistakes.py:Plain", "--random", "0", *sizes, "--json", "-", folder=tmp_path)
    assert run.returncode == 0 and json.loads(run.stdout)["outputs"][0]["shape"] == [2, 8], run.stderr
    build = trtnet("build", "mistakes.py:Plain", *sizes, "-o", "p.engine", folder=tmp_path)
    assert build.returncode == 0 and (tmp_path / "p.engine").is_file(), build.stderr
    wrong = trtnet("run", "p.engine", "--weights", "trtnet:lenet.safetensors", folder=tmp_path)
    assert wrong.returncode == 2 and "p.engine is not a model, so it takes no --weights" in wrong.stderr
