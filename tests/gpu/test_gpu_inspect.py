"""What TensorRT says of engines that it has loaded, and what other tools do with trtnet's, on a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.comparing import random_weights, relative_l2
from safetensors.numpy import save_file

import trtnet
from trtnet.builder import BuildConfig
from trtnet.models import resnet18
from trtnet.tools.export import polygraphy
from trtnet.tools.inspect.diff import compare
from trtnet.tools.inspect.layer_lists import describe
from trtnet.tools.inspect.plan import read_engine, to_json
from trtnet.tools.targets.networks import Choices

pytestmark = pytest.mark.gpu


def build(folder: Path, name: str, dtype: str = "float16", verbosity: str = "detailed") -> Path:
    inputs = {"image": trtnet.Input((2, 3, 64, 64))}
    network = trtnet.define(resnet18(), inputs, random_weights(resnet18()), dtype=dtype)
    network.build(config=BuildConfig(profiling_verbosity=verbosity)).save(folder / name)
    return folder / name


def test_an_engine_has_layers_of_modules_and_memory(tmp_path: Path) -> None:
    found = read_engine(build(tmp_path, "r.engine"))
    assert found.layers and found.layers.detailed and found.memory and found.memory["activations"] > 0
    modules = {module for one in found.layers.layers for module in one.modules}
    assert {"conv1", "layer1.0.conv1", "fc"} <= modules
    assert to_json(found)["engine"]["precisions"]["float16"] > 10


def test_an_engine_with_only_names_and_one_without_sidecar(tmp_path: Path) -> None:
    path = build(tmp_path, "n.engine", verbosity="layer_names_only")
    (tmp_path / "n.engine.json").unlink()
    found = read_engine(path)
    assert found.sidecar is None and found.layers and not found.layers.detailed


def test_engines_differ_in_their_layers(tmp_path: Path) -> None:
    half, single = (
        describe(str(build(tmp_path, f"{dtype}.engine", dtype)), Choices(), values=False)
        for dtype in ("float16", "float32")
    )
    assert not compare(half, half).differs
    assert compare(half, single).layers and compare(half, single).facts["dtype"] == ("float16", "float32")


def test_polygraphy_runs_the_script_as_the_reference_computes_it(tmp_path: Path) -> None:
    comparator = pytest.importorskip("polygraphy.comparator")
    polygraphy_json = pytest.importorskip("polygraphy.json")
    save_file(random_weights(resnet18()), tmp_path / "r.safetensors")
    choices = Choices(str(tmp_path / "r.safetensors"), "float16", ["batch=2"])
    script = polygraphy.write("resnet18", choices, tmp_path / "load.py")
    command = f"{script.commands[-1]} --save-inputs in.json --save-outputs out.json"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command, shell=True, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (inputs,) = polygraphy_json.load_json(str(tmp_path / "in.json"))
    ((outputs,),) = comparator.RunResults.load(str(tmp_path / "out.json")).values()
    network = trtnet.define(resnet18(), weights=random_weights(resnet18()), dtype="float16")
    expected = network.reference(exact=True)(np.asarray(inputs["image"]))
    assert relative_l2(np.asarray(outputs["output"], np.float32), expected) <= 1e-2
