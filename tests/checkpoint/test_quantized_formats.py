"""Formats whose libraries leave no files here, by their published formulas; and checkpoints with a mistake in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.support.errors import CheckpointError
from trtnet.weights import detect

DATA = Path(__file__).parents[1] / "data" / "quantized"
Tensors = dict[str, torch.Tensor]
E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
FACTOR = torch.linspace(0.5, 2, 64)
N, K = 12, 64


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(N))


def codes(*shape: int, most: int = 16) -> torch.Tensor:
    return torch.randint(0, most, shape, generator=torch.Generator().manual_seed(K), dtype=torch.uint8)


def fp8() -> tuple[Tensors, torch.Tensor, str]:
    values, scale = (noise(N, K) * 50).to(torch.float8_e4m3fn), torch.tensor(0.013)
    wanted = values.float() * scale
    return {"weight": values, "weight_scale": scale, "input_scale": torch.tensor(0.25)}, wanted, "FP8"


def fp8_channel() -> tuple[Tensors, torch.Tensor, str]:
    values, scale = (noise(N, K) * 50).to(torch.float8_e4m3fn), torch.rand(N) + 0.01
    return {"weight": values, "weight_scale": scale}, values.float() * scale[:, None], "FP8_PER_CHANNEL_PER_TOKEN"


def smooth() -> tuple[Tensors, torch.Tensor, str]:
    values, scale = (noise(N, K) * 40).round().clamp(-128, 127).to(torch.int8), torch.rand(N) + 0.01
    wanted = values.float() * scale[:, None] * FACTOR
    parts = {"weight": values, "weight_scale": scale, "input_scale": torch.tensor(0.25), "pre_quant_scale": FACTOR}
    return parts, wanted, "W8A8_SQ_PER_CHANNEL"


def int4(second: bool = False) -> tuple[Tensors, torch.Tensor, str]:
    scale = torch.rand(N, K // 32) + 0.01
    values = (noise(N, K) * 3).round().clamp(-8, 7).to(torch.int8)
    pairs = values.T.reshape(K, N // 2, 2)  # pack_int4_in_uint8
    packed = ((pairs[..., 0] & 0xF) | (pairs[..., 1] << 4)).T.contiguous().view(torch.uint8)
    wanted = values.float() * scale.repeat_interleave(32, 1) * FACTOR
    parts = {"weight": packed, "weight_scale": scale, "pre_quant_scale": FACTOR}
    return (
        parts | ({"weight_scale_2": torch.tensor(0.02)} if second else {}),
        wanted,
        "W4A8_AWQ" if second else "W4A16_AWQ",
    )


def nvfp4() -> tuple[Tensors, torch.Tensor, str]:
    packed, scale = codes(N, K // 2, most=256), (torch.rand(N, K // 16) * 100 + 1).to(torch.float8_e4m3fn)
    second = torch.tensor(0.00037)
    values = torch.empty(N, K)
    values[:, 1::2], values[:, 0::2] = E2M1[(packed >> 4).long()], E2M1[(packed & 0xF).long()]
    wanted = (values.view(N, -1, 16) * (scale.float() * second).unsqueeze(-1)).reshape(N, K)
    parts = {"weight": packed, "weight_scale": scale, "weight_scale_2": second, "input_scale": torch.tensor(0.001)}
    return parts, wanted, "NVFP4"


MODELOPT: dict[str, tuple[Callable[[], tuple[Tensors, torch.Tensor, str]], str]] = {
    "FP8": (fp8, "1 of float8_e4m3fn, one scale, inputs in float8_e4m3fn"),
    "FP8 per channel": (fp8_channel, "1 of float8_e4m3fn, a scale a channel"),
    "INT8 SmoothQuant": (smooth, "1 of int8, a scale a channel, inputs in int8"),
    "INT4 AWQ": (int4, "1 of int4, a scale a block of 32"),
    "W4A8": (lambda: int4(True), "1 of int4, a scale a block of 32, inputs in float8_e4m3fn"),
    "NVFP4": (nvfp4, "1 of float4_e2m1fn, a scale a block of 16, inputs in float4_e2m1fn (measured)"),
}


@pytest.mark.parametrize("name", MODELOPT)
def test_modelopt_exports_are_dequantized_by_their_formulas(name: str, tmp_path: Path) -> None:
    make, words = MODELOPT[name]
    parts, wanted, algorithm = make()
    cache = {"k_proj.k_scale": torch.tensor(1.0), "norm.weight": torch.ones(3)}
    save_file({f"up.{key}": value for key, value in parts.items()} | cache, tmp_path / "model.safetensors")
    config = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": algorithm, "group_size": None}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(config))
    found = detect(tmp_path).quantization
    assert found is not None
    assert str(found) == f"ModelOpt: {words}"
    floats = found.dequantized()
    assert {*floats} == {"up.weight", "norm.weight"}
    np.testing.assert_array_equal(floats["up.weight"], wanted.numpy(), strict=True)


def test_the_scale_of_the_inputs_is_a_multiplier(tmp_path: Path) -> None:
    parts, _, _ = nvfp4()
    found = quantization_of({f"up.{key}": value for key, value in parts.items()})
    assert found is not None
    assert found.weights["up.weight"].input_scale is not None
    assert found.weights["up.weight"].input_scale() == pytest.approx(0.001)
    other = quantization_of(DATA / "compressed_tensors_nvfp4" / "model.safetensors")
    assert other is not None
    assert other.weights["up.weight"].input_scale is not None
    assert other.weights["up.weight"].input_scale() == pytest.approx(1 / 896)  # it is stored as a divisor


def test_pytorch_quantizations_ranges() -> None:
    weight = noise(N, 3, 3, 3)
    amax = weight.abs().amax((1, 2, 3), keepdim=True)
    inputs = torch.tensor(3.0)
    found = quantization_of(
        {"conv.weight": weight, "conv._weight_quantizer._amax": amax, "conv._input_quantizer._amax": inputs,
         "conv.bias": noise(N), "add._input_quantizer._amax": inputs}
    )  # fmt: skip
    assert found is not None
    assert str(found) == "quantizers: 1 of int8, a scale a channel, inputs in int8"
    assert {*found.dequantized()} == {"conv.weight", "conv.bias"}
    bound = 127.0 / amax  # tensor_quant.py: round(x * bound) / bound
    wanted = torch.clamp(torch.round(weight * bound), -128, 127) / bound
    np.testing.assert_allclose(found.dequantized()["conv.weight"], wanted.numpy(), rtol=2e-7)
    assert found.weights["conv.weight"].input_scale is not None
    assert found.weights["conv.weight"].input_scale() == pytest.approx(3 / 127)


def test_a_modelopt_state_dict_does_not_say_its_type() -> None:
    state = {"up.weight": noise(N, K), "up.weight_quantizer._amax": torch.tensor(3.0)}
    with pytest.raises(CheckpointError, match=r"int8 or of float8"):
        quantization_of(state)
    found = quantization_of(state, config={"quant_method": "amax", "dtype": "float8_e4m3fn"})
    scale = np.float32(3.0) / np.float32(448)
    wanted = (state["up.weight"] / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float() * scale
    assert found is not None
    np.testing.assert_array_equal(found.dequantized()["up.weight"], wanted.numpy())


def test_torchs_own_qat_modules() -> None:
    from torch.ao import quantization

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(K, N), torch.nn.ReLU())
    model[0].qconfig = quantization.get_default_qat_qconfig("fbgemm")
    trained = quantization.prepare_qat(model.train())
    trained(noise(5, K))
    found = quantization_of(trained.state_dict())
    assert found is not None
    assert str(found) == "quantizers: 1 of int8, a scale a channel"
    wanted = trained[0].weight_fake_quant(trained[0].weight).detach()
    assert {*found.dequantized()} == {"0.weight", "0.bias"}
    np.testing.assert_array_equal(found.dequantized()["0.weight"], wanted.numpy(), strict=True)


# ten mistakes that other readers make: each is refused, or makes no difference to what is right


def given(name: str) -> tuple[Tensors, dict[str, Any]]:
    return load_file(DATA / name / "model.safetensors"), json.loads((DATA / name / "config.json").read_text())


def expected(name: str) -> np.ndarray[Any, Any]:
    return load_file(DATA / name / "expected.safetensors")["up.weight"].float().numpy()


def dequantized(tensors: Tensors, config: dict[str, Any]) -> np.ndarray[Any, Any]:
    found = quantization_of(tensors, config=config)
    assert found is not None
    return found.dequantized()["up.weight"].astype(np.float32)


def refused(tensors: Tensors, config: dict[str, Any], match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        dequantized(tensors, config)


def test_trap_1_awqs_order_is_not_gptqs() -> None:
    tensors, config = given("awq")
    refused(tensors, config["quantization_config"] | {"quant_method": "gptq"}, "AWQ's layout and not GPTQ's")
    tensors, config = given("gptq")
    refused(tensors, config["quantization_config"] | {"quant_method": "awq"}, "GPTQ's layout and not AWQ's")


def test_trap_2_zero_points_less_one() -> None:
    tensors, config = given("gptq")
    _, other = given("gptq_v2")
    right, wrong = dequantized(tensors, config), dequantized(tensors, other)
    np.testing.assert_array_equal(right, expected("gptq"))
    assert np.abs(right - wrong).max() > 1e-3  # what the format says decides, and it is never guessed
    refused(tensors, {}, "do not show whether zero points")


def test_trap_3_a_zero_point_of_0_is_stored_as_15() -> None:
    tensors, config = given("gptq")
    tensors["up.qzeros"] = torch.full_like(tensors["up.qzeros"], -1)
    codes = (tensors["up.qweight"][:, None] >> torch.arange(0, 32, 4)[:, None]) & 15
    wanted = codes.reshape(-1, 32).float() * tensors["up.scales"].float().repeat_interleave(32, 0)
    np.testing.assert_array_equal(dequantized(tensors, config), wanted.T.half().float())


def test_trap_4_reciprocal_scales() -> None:
    tensors, config = given("compressed_tensors_nvfp4")
    np.testing.assert_array_equal(dequantized(tensors, config), expected("compressed_tensors_nvfp4"))
    renamed = {"up.weight": "up.weight_packed", "up.weight_scale": "up.weight_scale"}
    as_modelopt = {new: tensors[old] for new, old in renamed.items()}
    as_modelopt["up.weight_scale_2"] = 1 / tensors["up.weight_global_scale"]
    np.testing.assert_allclose(dequantized(as_modelopt, {}), expected("compressed_tensors_nvfp4"), rtol=1e-2)
    del tensors["up.weight_global_scale"]
    refused(tensors, config, "weight_global_scale is missing")


def test_trap_5_weight_scale_inv_is_a_multiplier() -> None:
    tensors, config = given("fp8_blocks")
    product = tensors["up.weight"].float() * tensors["up.weight_scale_inv"].repeat_interleave(128, 0)
    np.testing.assert_array_equal(dequantized(tensors, config), product.bfloat16().float())


@pytest.mark.parametrize("name", ["compressed_tensors_nvfp4", "compressed_tensors_mxfp4"])
def test_trap_6_the_low_half_of_a_byte_comes_first(name: str) -> None:
    tensors, config = given(name)
    swapped = tensors["up.weight_packed"]
    tensors["up.weight_packed"] = swapped << 4 | swapped >> 4
    pairs = expected(name).reshape(-1, 2)[:, ::-1].reshape(expected(name).shape)
    np.testing.assert_array_equal(dequantized(tensors, config), pairs)


def test_trap_7_padding_is_no_value() -> None:
    tensors, config = given("compressed_tensors_int4_zero_points")  # 20 rows: zero points packed in words of 8
    assert tensors["up.weight_zero_point"].shape == (3, 4)
    tensors["up.weight_zero_point"][2] |= -65536  # the half of the last word that is padding
    np.testing.assert_array_equal(dequantized(tensors, config), expected("compressed_tensors_int4_zero_points"))


@pytest.mark.parametrize("name", ["gptq", "awq"])
def test_trap_8_group_sizes(name: str) -> None:
    tensors, config = given(name)
    refused(tensors, config["quantization_config"] | {"group_size": 64}, "do not fit 4 rows of scales")
    refused(tensors, config["quantization_config"] | {"bits": 8}, "of 8 bits, as")


def test_trap_8_group_sizes_of_compressed_tensors() -> None:
    tensors, config = given("compressed_tensors_int4")
    config["quantization_config"]["config_groups"]["group_0"]["weights"]["group_size"] = 128
    refused(tensors, config, "does not match scales")


@pytest.mark.parametrize(
    ("name", "key"),
    [("compressed_tensors_int4", "weight_scale"), ("compressed_tensors_int8", "weight_scale"),
     ("compressed_tensors_nvfp4", "weight_scale"), ("fp8_blocks", "weight_scale_inv"),
     ("compressed_tensors_float8_channel", "weight_scale")],
)  # fmt: skip
def test_trap_9_transposed_scales(name: str, key: str) -> None:
    tensors, config = given(name)
    tensors[f"up.{key}"] = tensors[f"up.{key}"].T.contiguous()
    refused(tensors, config, "transposed|does not match scales")


def test_trap_10_columns_in_another_order() -> None:
    tensors, config = given("gptq_act_order")
    np.testing.assert_array_equal(dequantized(tensors, config), expected("gptq_act_order"))
    tensors["up.g_idx"] += 1
    refused(tensors, config, "g_idx has blocks 1 to 4, but there are 4")


def test_a_configuration_beside_a_file_of_floats_is_of_another_file(tmp_path: Path) -> None:
    tensors, config = given("awq")
    save_file({key: torch.as_tensor(value) for key, value in tensors.items()}, tmp_path / "q.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    floats = {"up.weight": torch.ones(4, 4), "steps": torch.tensor(3)}
    torch.save(floats, tmp_path / "floats.pth")
    assert quantization_of(tmp_path / "q.safetensors") is not None and quantization_of(tmp_path / "floats.pth") is None
    save_file(floats, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="no tensor is quantized that way"):  # whose configuration it is
        quantization_of(tmp_path)


def test_other_methods_are_named(tmp_path: Path) -> None:
    refused({"up.weight": noise(N, K)}, {"quant_method": "bitsandbytes"}, "'bitsandbytes', which trtnet does not read")
    refused({"up.weight": noise(N, K)}, {"quant_method": "awq"}, "no tensor is quantized that way")
    tensors, config = given("awq")
    refused(tensors, config["quantization_config"] | {"version": "gemv"}, "packed for a kernel")
    del tensors["up.scales"]
    refused(tensors, config, "AWQ's")


def test_floats_are_not_quantized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quantization_of({"up.weight": noise(N, K)}) is None
    save_file({"up.weight": noise(N, K)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "llama", "quantization_config": null}')
    assert quantization_of(tmp_path) is None
    (tmp_path / "config.json").write_text('{"quantization_config": {"quant_method": "awq"}}')
    monkeypatch.chdir(tmp_path)
    assert quantization_of({"up.weight": noise(N, K)}) is None  # the configuration is of the file, not of the folder
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="no JSON object"):
        quantization_of(tmp_path)
