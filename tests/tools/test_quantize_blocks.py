"""`trtnet quantize` to NVFP4 and the MX formats, as compressed-tensors stores them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparing import relative_l2
from helpers.definition.measured_inputs import rounded

import trtnet
from trtnet import nn
from trtnet.checkpoint import open_checkpoint
from trtnet.support.errors import ModelError

RNG = np.random.default_rng(0)
FLOAT4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
MX = {"group_size": 32, "scale_dtype": "torch.uint8", "zp_dtype": "torch.uint8", "strategy": "group"}
NV = {
    "group_size": 16, "scale_dtype": "torch.float8_e4m3fn", "zp_dtype": "torch.float8_e4m3fn",
    "strategy": "tensor_group",
}  # fmt: skip
FLOATS4, FLOATS8 = ({"num_bits": bits, "type": "float", "symmetric": True} for bits in (4, 8))
SCHEMES: dict[str, tuple[str, dict[str, Any], dict[str, Any] | None]] = {
    "nvfp4_weights": ("nvfp4-pack-quantized", {**NV, **FLOATS4}, None),
    "nvfp4": (
        "nvfp4-pack-quantized", {**NV, **FLOATS4},
        {**NV, **FLOATS4, "dynamic": "local", "observer": "static_minmax"},
    ),
    "mxfp4_weights": ("mxfp4-pack-quantized", {**MX, **FLOATS4}, None),
    "mxfp8_weights": ("mxfp8-quantized", {**MX, **FLOATS8}, None),
    "mxfp8": ("mxfp8-quantized", {**MX, **FLOATS8}, {**MX, **FLOATS8, "dynamic": True}),
}  # fmt: skip


class Up(nn.Module):
    inputs = {"x": trtnet.Input(("n", 64))}

    def __init__(self) -> None:
        self.up = nn.Linear(64, 24, bias=False)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.up(x)


def float8(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of float8_e4m3fn by its bits: sign, four of the exponent, three of the fraction."""
    exponent, fraction = (codes >> 3 & 15).astype(np.int32), (codes & 7).astype(np.float32)
    size = np.where(exponent == 0, fraction / 8 * 2.0**-6, (1 + fraction / 8) * 2.0 ** (exponent - 7.0))
    return np.where(codes >> 7, -size, size).astype(np.float32)


def stored(file: Path) -> np.ndarray[Any, Any]:
    """The weight [24, 64] of a file, by the formulas of the formats."""
    tensors = open_checkpoint(file)
    if "up.weight" in tensors:
        values = float8(tensors["up.weight"].view(np.uint8))
    else:
        packed = tensors["up.weight_packed"]
        values = FLOAT4[np.stack([packed & 15, packed >> 4], -1).reshape(len(packed), -1)]
    codes = tensors["up.weight_scale"]
    scales = np.float32(2) ** (codes.astype(np.float32) - 127) if codes.dtype == np.uint8 else float8(codes.view("u1"))
    if "up.weight_global_scale" in tensors:
        assert tensors["up.weight_global_scale"].shape == (1,)
        scales = scales / tensors["up.weight_global_scale"]
    return values * scales.repeat(64 // scales.shape[1], 1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_has_the_formats_of_compressed_tensors(scheme: str, tmp_path: Path) -> None:
    weight = RNG.standard_normal((24, 64)).astype(np.float32) * np.exp(RNG.standard_normal((24, 1)))
    weight[0, :32] = 0
    weights, x = {"up.weight": weight.astype(np.float32)}, RNG.standard_normal((5, 64)).astype(np.float32)
    file = tmp_path / "model.safetensors"
    found = trtnet.quantize(Up(), {"x": x}, file, weights=weights, scheme=scheme)
    form, of_weights, of_inputs = SCHEMES[scheme]
    config = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    assert config["format"] == form
    (group,) = config["config_groups"].values()
    assert group == {"targets": ["up"], "weights": {**of_weights, "dynamic": False}, "input_activations": of_inputs}
    values = stored(file)
    assert relative_l2(values, weight) < (0.03 if "fp8" in scheme else 0.12)
    network = trtnet.define(Up(), weights=file, quantization="checkpoint", compute_capabilities=("12.0",))
    second = 1.0
    if scheme == "nvfp4":
        second = float(1 / open_checkpoint(file)["up.input_global_scale"][0])
        assert second == pytest.approx(np.abs(x).max() / (6 * 448), rel=1e-5)
    inputs = x if of_inputs is None else rounded(x, scheme, second)
    assert relative_l2(network.reference()(x), inputs @ values.T) < 1e-5
    measured = {"nvfp4": " (measured in blocks of 16)", "mxfp8": " (measured in blocks of 32)"}.get(scheme, "")
    assert network.describe().quantization["up.weight"].endswith(measured)
    assert found.error is not None
    assert 0 < found.error < 0.2


@pytest.mark.parametrize("scheme", ["nvfp4_weights", "mxfp4_weights", "mxfp8_weights"])
def test_scales_have_the_least_squared_error_of_those_near(scheme: str, tmp_path: Path) -> None:
    weight = RNG.standard_normal((24, 64)).astype(np.float32)
    file = tmp_path / "model.safetensors"
    trtnet.quantize(Up(), None, file, weights={"up.weight": weight}, scheme=scheme)
    plain = trtnet.define(Up(), weights={"up.weight": weight}, quantization={"*": scheme}).reference()
    largest = plain(np.eye(64, dtype=np.float32)).T
    size = 16 if scheme == "nvfp4_weights" else 32
    ours, theirs = (
        ((each - weight) ** 2).reshape(24, -1, size).sum(2) for each in (stored(file), largest)
    )  # fmt: skip
    assert (ours <= theirs * (1 + 1e-5)).all()
    assert ours.sum() < 0.99 * theirs.sum()


def test_what_these_schemes_need(tmp_path: Path) -> None:
    weights = {"up.weight": RNG.standard_normal((24, 64)).astype(np.float32)}
    x = {"x": RNG.standard_normal((5, 64)).astype(np.float32)}
    file = tmp_path / "model.safetensors"
    assert trtnet.quantize(Up(), None, file, weights=weights, scheme="mxfp8").error is None  # nothing is calibrated
    with pytest.raises(ModelError, match="nvfp4 quantizes inputs, whose scales are calibrated: give data"):
        trtnet.quantize(Up(), None, file, weights=weights, scheme="nvfp4")
    for scheme in ("nvfp4", "mxfp8"):
        with pytest.raises(ModelError, match=f"smooth is for schemes whose inputs have one scale, .*; found {scheme}"):
            trtnet.quantize(Up(), x, file, weights=weights, scheme=scheme, smooth=0.5)
