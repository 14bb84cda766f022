"""Inputs of products whose scales TensorRT measures in each call: MXFP8 and NVFP4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.definition.measured_inputs import rounded
from helpers.definition.quantized_networks import Up

import trtnet
from trtnet import BuildError, Input, ModelError, nn
from trtnet.checkpoint import save_safetensors
from trtnet.checkpoint.quantized.rounding import quantize
from trtnet.support import dtypes

DATA = Path(__file__).parents[1] / "data" / "quantized"
SHAPES = ((5, 64), ("n", 64), ("n", 5, 64), ("n", 2, 3, 64))
GPU = ("12.0",)


def weight_of(scheme: str, weight: np.ndarray) -> np.ndarray:
    kind = ("float8_e4m3fn", 32, True) if scheme == "mxfp8" else ("float4_e2m1fn", 16, False)
    form = quantize(weight, dtypes.get(kind[0]), (1, kind[1]), kind[2])
    return form.values.astype(np.float32) * form.spread(form.scales())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("scheme", ["mxfp8", "nvfp4"])
def test_products_are_those_of_rounded_inputs(scheme: str, shape: tuple[str | int, ...]) -> None:
    rng = np.random.default_rng(0)
    weights = {"weight": rng.normal(size=(48, 64)).astype(np.float32), "bias": np.ones(48, np.float32)}
    network = trtnet.define(
        nn.Linear(64, 48), {"x": Input(shape)}, weights, quantization={"*": scheme}, compute_capabilities=GPU
    )
    x = rng.normal(size=[3 if size == "n" else size for size in shape]).astype(np.float32)
    x.reshape(-1, 64)[0, :16] = 0
    x.reshape(-1, 64)[1] *= 1e-3
    found = network.reference()(x)
    assert relative_l2(found, rounded(x, scheme) @ weight_of(scheme, weights["weight"]).T + 1) < 1e-5
    exact = x @ weights["weight"].T + 1
    assert 1e-3 < relative_l2(found, exact) < 0.2
    plan = network.build({"n": (1, 2, 4)} if network.dims else None, trtnet.BuildConfig(compute_capabilities=GPU))
    (words,) = plan.plan.info.quantization.values()
    assert "(measured in blocks of" in words


def test_a_pytorch_module_has_them_too() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 16)).eval()
    network = trtnet.define(module, {"x": Input(("n", 32))}, quantization={"*": "mxfp8"}, compute_capabilities=GPU)
    x = torch.randn(5, 32)
    with torch.inference_mode():
        assert 1e-3 < relative_l2(network.reference()(x), module(x)) < 0.1


def test_a_published_checkpoint_keeps_its_inputs_in_nvfp4() -> None:
    file = DATA / "compressed_tensors_nvfp4" / "model.safetensors"
    stored = trtnet.weights.quantization_of(file)
    assert stored is not None
    (weight,) = stored.weights.values()
    rows, columns = weight.shape
    network = trtnet.define(
        Up(rows, columns),
        {"x": Input(("n", columns))},
        file,
        strict=False,
        quantization="checkpoint",
        compute_capabilities=GPU,
    )
    x = np.random.default_rng(0).normal(size=(3, columns)).astype(np.float32)
    assert weight.input_scale is not None
    wanted = rounded(x, "nvfp4", weight.input_scale()) @ stored.dequantized()["up.weight"].astype(np.float32).T
    assert relative_l2(network.reference()(x), wanted) < 1e-2


MX_INPUTS = {
    "num_bits": 8, "type": "float", "strategy": "group", "group_size": 32, "dynamic": True, "symmetric": True,
    "scale_dtype": "torch.uint8",
}  # fmt: skip
PER_TOKEN = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True, "symmetric": True}


def published(folder: Path, inputs: dict[str, Any] | None) -> tuple[Path, np.ndarray]:
    """A checkpoint in MXFP8, of compressed-tensors, or of ModelOpt where it says nothing of the inputs; the weight."""
    form = quantize(np.random.default_rng(1).normal(size=(24, 64)), dtypes.float8_e4m3fn, (1, 32), powers_of_two=True)
    tensors = {"up.weight": form.values, "up.weight_scale": form.scale.view(np.uint8)}
    save_safetensors(folder / "model.safetensors", tensors)
    weights = {"num_bits": 8, "type": "float", "strategy": "group", "group_size": 32, "symmetric": True}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    document: dict[str, Any] = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}
    if inputs is None:
        document = {"quant_method": "modelopt", "quant_algo": "MXFP8"}
    (folder / "config.json").write_text(json.dumps({"quantization_config": document}))
    return folder / "model.safetensors", form.dequantize("float32")


@pytest.mark.parametrize("inputs", [MX_INPUTS, None], ids=["compressed-tensors", "ModelOpt"])
def test_a_published_checkpoint_keeps_its_inputs_in_mxfp8(inputs: dict[str, Any] | None, tmp_path: Path) -> None:
    file, weight = published(tmp_path, inputs)
    network = trtnet.define(
        Up(24, 64), {"x": Input(("n", 64))}, file, quantization="checkpoint", compute_capabilities=GPU
    )
    x = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    assert relative_l2(network.reference()(x), rounded(x, "mxfp8") @ weight.T) < 1e-5
    (words,) = network.describe().quantization.values()
    assert words.endswith("inputs in float8_e4m3fn (measured in blocks of 32)")


@pytest.mark.parametrize("inputs", [PER_TOKEN, MX_INPUTS | {"group_size": 64}, MX_INPUTS | {"scale_dtype": None}])
def test_other_inputs_that_are_measured_are_said(inputs: dict[str, Any], tmp_path: Path) -> None:
    file, _ = published(tmp_path, inputs)
    with pytest.raises(ModelError, match=r"up.weight: its inputs were in float8_e4m3fn with scales measured at run"):
        trtnet.define(Up(24, 64), {"x": Input(("n", 64))}, file, quantization="checkpoint")


def test_what_does_not_fit_is_said() -> None:
    weights = {"weight": np.ones((8, 64), np.float32), "bias": np.zeros(8, np.float32)}
    with pytest.raises(ModelError, match="input_block is 32 for inputs in float8_e4m3fn, found 16"):
        trtnet.define(
            nn.Linear(64, 8), {"x": Input((2, 64))}, weights, quantization={"*": {"scheme": "mxfp8", "input_block": 16}}
        )
    network = trtnet.define(
        nn.Linear(64, 8), {"x": Input((2, 64))}, weights, quantization={"*": "nvfp4"}, compute_capabilities=GPU
    )
    with pytest.raises(BuildError, match=r"float4_e2m1fn, which GPUs since Blackwell have \(10.0\)"):
        network.build(config=trtnet.BuildConfig(compute_capabilities=("8.9",)))
