"""Live PyTorch modules on a real GPU: refitted, measured and compared. tests/conftest.py skips these without one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.originals import import_torchvision
from safetensors.torch import save_file
from typer.testing import CliRunner

import trtnet
from trtnet.builder import BuildConfig
from trtnet.cli.main import app
from trtnet.support.errors import BuildError, PlanError

pytestmark = pytest.mark.gpu
torchvision = import_torchvision()
MODULES = ("resnet18", "shufflenet_v2_x0_5", "swin_t", "vit_b_32")
SMALL = {"vit_b_32": {"image_size": 64}}


def module(name: str, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    made = getattr(torchvision.models, name)(num_classes=7, **SMALL.get(name, {})).eval()
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
            torch.nn.init.normal_(part.running_mean, std=0.1)
    return made


def network(name: str, seed: int) -> trtnet.DefinedNetwork:
    return trtnet.define(module(name, seed), {"x": trtnet.Input(("n", 3, 64, 64), "float16")}, dtype="float16")


def refittable(name: str) -> trtnet.Engine:
    try:
        return network(name, 0).build({"n": (1, 2, 4)}, BuildConfig(refit=True))
    except BuildError as error:
        if "driver is older" in str(error):
            pytest.skip(str(error).splitlines()[-1].strip())
        raise


def equal(engine: trtnet.Engine, name: str, seed: int) -> None:
    x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        expected = module(name, seed)(x).numpy()
    assert relative_l2(engine(x.numpy().astype(np.float16)).astype(np.float32), expected) <= 2e-2


@pytest.mark.parametrize("name", MODULES)
def test_an_engine_takes_the_weights_of_another_module(name: str, tmp_path: Path) -> None:
    engine = refittable(name)
    equal(engine, name, 0)
    engine.refit(network(name, 1))
    equal(engine, name, 1)
    engine.save(tmp_path / "m.engine")
    again = trtnet.load(tmp_path / "m.engine")
    again.refit(network(name, 2))
    equal(again, name, 2)
    if engine.info.folded:
        with pytest.raises(PlanError, match="into others"):
            again.refit(module(name, 3).state_dict())
    else:
        again.refit(module(name, 3).state_dict())
        equal(again, name, 3)


def test_the_command_refits_folded_weights(tmp_path: Path) -> None:
    refittable("resnet18").save(tmp_path / "r.engine")
    save_file(module("resnet18", 4).state_dict(), tmp_path / "w.safetensors")
    options = (
        "--model",
        "torchvision:resnet18",
        "--arg",
        "num_classes=7",
        "--weights",
        str(tmp_path / "w.safetensors"),
    )
    result = CliRunner().invoke(app, ["refit", str(tmp_path / "r.engine"), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    equal(trtnet.load(tmp_path / "r.engine"), "resnet18", 4)


@pytest.mark.alone
def test_bench_measures_a_module_beside_torch_and_onnx(tmp_path: Path) -> None:
    options = "--dtype", "float16", "--dim", "batch=2", "--against", "torch,onnx", f"--json={tmp_path / 'b.json'}"
    command = ["bench", "torchvision:resnet18", "--warm-up", "20", "--duration", "0.2", *options]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rivals = {one["route"]: one for one in json.loads((tmp_path / "b.json").read_text())["against"]}
    assert set(rivals) == {"torch", "onnx", "trtnet"}
    assert rivals["torch"]["difference"] == 0 and rivals["trtnet"]["difference"] < 2e-2 > rivals["onnx"]["difference"]
