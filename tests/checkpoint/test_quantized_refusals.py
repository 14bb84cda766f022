"""Quantized checkpoints with a part that is missing, of another type, or no number: refused with what was found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.support.errors import CheckpointError

DATA = Path(__file__).parents[1] / "data" / "quantized"
Tensors = dict[str, torch.Tensor]
Change = Callable[[torch.Tensor], torch.Tensor]
INT4, FLOAT8, CHANNEL = "compressed_tensors_int4", "compressed_tensors_float8", "compressed_tensors_float8_channel"
ASYMMETRIC, BLOCKS = "compressed_tensors_int4_zero_points", "compressed_tensors_float8_blocks"
NVFP4, MXFP4 = "compressed_tensors_nvfp4", "compressed_tensors_mxfp4"


def given(name: str) -> tuple[Tensors, dict[str, Any]]:
    file = DATA / name / "config.json"
    config = json.loads(file.read_text()) if file.exists() else {}
    return load_file(DATA / name / "model.safetensors"), config.get("quantization_config", {})


def read(tensors: Tensors, config: dict[str, Any]) -> dict[str, Any]:
    """The float weights, and by "inputs" the scales of the inputs of products."""
    found = quantization_of(tensors, config=config)
    assert found is not None
    floats = found.dequantized()
    return {key: floats[key] for key in floats} | {
        "inputs": [weight.input_scale() for weight in found.weights.values() if weight.input_scale]
    }


def filled(value: float) -> Change:
    return lambda x: torch.full_like(x.float(), value).to(x.dtype)


def one(value: float) -> Change:
    """The first element is another one."""

    def change(x: torch.Tensor) -> torch.Tensor:
        flat = x.float().reshape(-1).clone()
        flat[0] = value
        return flat.reshape(x.shape).to(x.dtype)

    return change


NAN, INF = float("nan"), float("inf")
CASES: list[tuple[str, str, Change | None, str]] = [
    (INT4, "up.weight_scale", one(NAN), "up.weight: 1 of its 96 scales are NaN or infinite"),
    (INT4, "up.weight_scale", one(INF), "1 of its 96 scales are NaN or infinite"),
    (INT4, "up.weight_scale", filled(0), "all of its scales are 0, and not its values"),
    (INT4, "up.weight_scale", lambda x: x.long(), "weight_scale is of floats, found int64"),
    (INT4, "up.weight_packed", None, "no tensor is quantized that way"),
    (INT4, "up.weight_packed", lambda x: x.long(), "weight_packed is uint8, found int64"),
    (INT4, "up.weight_shape", lambda x: x[:0], "weight_shape is the sizes of rows and columns, found []"),
    (INT4, "up.weight_shape", lambda x: x[None], "weight_shape is the sizes of rows and columns, found [["),
    (INT4, "up.weight_shape", lambda x: -x, "weight_shape is the sizes of rows and columns, found [-24"),
    (ASYMMETRIC, "up.weight_zero_point", None, "weight_zero_point is missing, and the given configuration says that"),
    (ASYMMETRIC, "up.weight_zero_point", lambda x: x.long(), "weight_zero_point [3, 4] does not fit scales [20, 4]"),
    (
        ASYMMETRIC,
        "up.weight_zero_point",
        lambda x: torch.full((20, 4), 100, dtype=torch.int8),
        "weight_zero_point is whole numbers from -8 to 7, found 100",
    ),
    (ASYMMETRIC, "up.weight_zero_point", lambda x: torch.full((20, 4), 70000), "numbers from -8 to 7, found 70000"),
    (ASYMMETRIC, "up.weight_zero_point", lambda x: torch.full((20, 4), NAN), "numbers from -8 to 7, found nan"),
    (ASYMMETRIC, "up.weight_zero_point", lambda x: torch.full((20, 4), 0.5), "numbers from -8 to 7, found 0.5"),
    ("compressed_tensors_int3", "up.weight_scale", lambda x: x[:, :1].contiguous(), "does not match scales of this"),
    (FLOAT8, "up.input_scale", filled(NAN), "the scale of its inputs is a number above 0, found nan"),
    (FLOAT8, "up.input_scale", filled(0), "the scale of its inputs is a number above 0, found 0.0"),
    (FLOAT8, "up.input_scale", filled(-1), "the scale of its inputs is a number above 0, found -1.0"),
    (FLOAT8, "up.input_scale", filled(INF), "the scale of its inputs is a number above 0, found inf"),
    (FLOAT8, "up.input_scale", filled(1e-42), "the scale of its inputs is a number above 0, found 1.0"),
    (FLOAT8, "up.weight_scale", filled(1e38), "values of the weight would be infinite in float32, its largest scale"),
    (CHANNEL, "up.weight_scale", one(1e37), "of the weight would be infinite in float32, its largest scale is 1e+37"),
    (FLOAT8, "up.weight", one(NAN), "up.weight: 1 of its values are NaN"),
    (CHANNEL, "up.weight", lambda x: x.reshape(-1), "weight has rows and columns, found [3072]"),
    (NVFP4, "up.input_global_scale", filled(0), "the scale of its inputs is a number above 0, found inf"),
    (NVFP4, "up.weight_global_scale", filled(INF), "the scale of its scales is NaN or infinite"),
    (NVFP4, "up.weight_global_scale", filled(0), "scales are NaN or infinite"),
    (NVFP4, "up.weight_global_scale", lambda x: x[:0], "weight_global_scale is one number, or one for each expert"),
    (NVFP4, "up.weight_packed", lambda x: x.long(), "weight_packed is uint8, found int64"),
    (MXFP4, "up.weight_scale", lambda x: x.long(), "weight_scale is float8_e4m3fn or uint8 or float8_e8m0fnu, found"),
    ("gpt_oss", "experts.gate_up_proj_scales", lambda x: x.long(), "scales is uint8 or float8_e8m0fnu, found int64"),
    ("modelopt_fp8", "up.weight", lambda x: x.view(torch.int8), "weight is int8, and the given configuration says FP8"),
    ("modelopt_mxfp4", "up.weight", lambda x: x.view(torch.int8), "says MXFP4, whose weights are stored in uint8"),
    ("modelopt_int8_sq", "up.weight", lambda x: x.view(torch.uint8), "whose weights are stored in int8"),
    ("modelopt_int4_awq", "up.weight", lambda x: x.reshape(-1), "weight has 2 axes, found [1536]"),
    ("awq", "up.scales", lambda x: x.reshape(-1), "scales has 2 axes, found [128]"),
    ("awq", "up.scales", lambda x: x[:, :-1].contiguous(), "has 32 output channels, and scales [4, 31]"),
    ("awq", "up.qweight", lambda x: x[:-1].contiguous(), "has 127 input channels, which blocks of 32 do not divide"),
    ("awq", "up.scales", one(60000), "would be infinite in float16, its largest scale is 60000"),
    ("awq", "up.qzeros", lambda x: x[:-1].contiguous(), "qzeros [3, 4] does not fit scales [4, 32]"),
    ("awq", "up.qweight", lambda x: x.float(), "qweight is int32, found float32"),
    ("gptq", "up.qweight", lambda x: x[:-1].contiguous(), "qweight [15, 32] of 4 bits does not fit g_idx [128]"),
    ("gptq", "up.qzeros", lambda x: x[:-1].contiguous(), "qzeros [3, 4] does not fit scales [4, 32]"),
    ("gptq", "up.scales", filled(NAN), "128 of its 128 scales are NaN or infinite"),
    ("gptq_act_order", "up.g_idx", None, "g_idx is missing, and the given configuration says desc_act"),
    ("gptq_act_order", "up.g_idx", filled(0), "g_idx has 128 channels in block 0, which has 32: it is that of another"),
    ("gptq_act_order", "up.g_idx", lambda x: torch.where(torch.arange(128) == 5, 3 - x, x), "which has 32: it is that"),
    ("gptq_act_order", "up.g_idx", lambda x: x[None], "g_idx has 1 axis, found [1, 128]"),
    ("fp8_blocks", "up.weight_scale_inv", lambda x: x[:1].contiguous(), "match no blocks of 128 x 128: [2, 1] do."),
    ("fp8_blocks", "up.weight_scale_inv", filled(INF), "2 of its 2 scales are NaN or infinite"),
]


@pytest.mark.parametrize(("name", "key", "change", "words"), CASES)
def test_a_part_that_is_none_is_refused(name: str, key: str, change: Change | None, words: str) -> None:
    tensors, config = given(name)
    part = tensors.pop(key)
    if change is not None:
        tensors[key] = change(part)
    with pytest.raises(CheckpointError, match=re.escape(words)):
        read(tensors, config)


@pytest.mark.parametrize(
    ("name", "lost", "left"),
    [(INT4, "weight_packed", "weight_shape"), (FLOAT8, "weight", "weight_scale"), ("awq", "qweight", "qzeros"),
     ("gptq", "qweight", "g_idx"), ("fp8_blocks", "weight", "weight_scale_inv"),
     ("modelopt_nvfp4", "weight", "weight_scale_2")],
)  # fmt: skip
def test_what_a_lost_shard_leaves_is_refused(name: str, lost: str, left: str) -> None:
    tensors, config = given(name)
    other = {key.replace("up.", "down."): tensor.clone() for key, tensor in tensors.items() if key.startswith("up.")}
    assert {"up.weight", "down.weight"} <= {*read(tensors | other, config)}
    del other[f"down.{lost}"]
    with pytest.raises(
        CheckpointError, match=r"down\.\w+ is (a part of a quantized weight, and|missing, wi).* Is a shard mi"
    ):
        read(tensors | other, config)
    assert f"down.{left}" in other


def test_an_order_of_columns_with_blocks_of_other_sizes_is_refused() -> None:
    tensors, config = given(INT4)
    index = torch.arange(128) // 32
    turned = read(tensors | {"up.weight_g_idx": index.flip(0)}, config)["up.weight"]
    assert (turned != read(tensors, config)["up.weight"]).any()
    for wrong in (torch.zeros_like(index), torch.where(torch.arange(128) == 0, 3, index)):
        with pytest.raises(CheckpointError, match=r"weight_g_idx has blocks of \d+ to \d+ columns; they have one size"):
            read(tensors | {"up.weight_g_idx": wrong}, config)


@pytest.mark.parametrize(
    ("name", "value"), [("compressed_tensors_int8", 300), ("compressed_tensors_int8", 70000), (CHANNEL, 1.5)]
)
def test_zero_points_that_no_value_has_are_refused(name: str, value: float) -> None:
    """70000 is 4464 in 16 bits."""
    tensors, config = given(name)
    tensors["up.weight_zero_point"] = torch.full((24, 1), 5)
    assert "up.weight" in read(tensors, config)
    tensors["up.weight_zero_point"] = torch.full((24, 1), value)
    with pytest.raises(CheckpointError, match=f"weight_zero_point is whole numbers from -128 to 127, found {value:g}"):
        read(tensors, config)


def test_scales_of_channels_where_groups_are_said_are_refused() -> None:
    tensors, _ = given("modelopt_int4_awq")
    tensors["up.weight_scale"] = tensors["up.weight_scale"][:, :1].contiguous()
    for size in (32, 64):
        with pytest.raises(CheckpointError, match=rf"in blocks of {size} does not match scales \[24, 1\]"):
            read(tensors, {"quant_method": "modelopt", "group_size": size})
    assert read(tensors, {"quant_method": "modelopt", "group_size": 128})["up.weight"].shape == (24, 128)


def test_the_weights_of_another_type_beside_a_scale_are_refused() -> None:
    tensors, config = given(FLOAT8)
    tensors |= {"down.weight": torch.ones(3, 4), "down.weight_scale": torch.ones(())}
    with pytest.raises(
        CheckpointError, match=r"down.weight_scale is a part of a quantized weight.* down.weight float32"
    ):
        read(tensors, config)


GROUP = "config_groups.group_0"
WEIGHTS = f"{GROUP}.weights"


@pytest.mark.parametrize(
    ("name", "path", "value", "words"),
    [
        (INT4, f"{WEIGHTS}.num_bits", "four", "group_0.weights.num_bits is an integer, found 'four'"),
        (INT4, f"{WEIGHTS}.group_size", 32.5, "group_0.weights.group_size is an integer, found 32.5"),
        (INT4, f"{WEIGHTS}.strategy", "row", "group_0.weights.strategy is one of tensor, channel, group,"),
        (INT4, f"{WEIGHTS}.strategy", "channel", "says the strategy channel of 32, which does not match scales"),
        (INT4, f"{WEIGHTS}.strategy", "tensor", "says the strategy tensor of 32, which does not match scales"),
        (INT4, f"{WEIGHTS}.symmetric", False, "weight_zero_point is missing, and"),
        (FLOAT8, f"{WEIGHTS}.strategy", "channel", "weight [24, 128] has one scale, its scales are [1]"),
        (FLOAT8, f"{WEIGHTS}.type", "int", "weight is float8_e4m3fn, and the given configuration says 8 bits of int"),
        (FLOAT8, f"{WEIGHTS}.num_bits", 4, "weight is float8_e4m3fn, and the given configuration says 4 bits of float"),
        (BLOCKS, f"{WEIGHTS}.block_structure", ["a", 2], "block_structure is rows and columns, found ['a', 2]"),
        (BLOCKS, f"{WEIGHTS}.block_structure", [16], "block_structure is rows and columns, found [16]"),
        (INT4, "config_groups", [], "config_groups is a table of tables, found []"),
        (INT4, GROUP, 3, "config_groups is a table of tables, found"),
        (INT4, WEIGHTS, 3, "config_groups.group_0.weights is a table, found 3"),
        (INT4, f"{GROUP}.targets", "Linear", "group_0.targets is a list of names, found 'Linear'"),
        (INT4, f"{GROUP}.targets", ["re:("], "the target 're:(' is not a regular expression"),
        ("fp8_blocks", "weight_block_size", [128], "weight_block_size is rows and columns, found [128]"),
        ("fp8_blocks", "weight_block_size", [0, 0], "weight_block_size is rows and columns, found [0, 0]"),
        ("fp8_blocks", "weight_block_size", "128", "weight_block_size is rows and columns, found '128'"),
    ],
)  # fmt: skip
def test_a_configuration_that_is_none_or_another_checkpoints_is_refused(
    name: str, path: str, value: Any, words: str
) -> None:
    tensors, config = given(name)
    *places, last = path.split(".")
    inner = config
    for place in places:
        inner = inner[place]
    inner[last] = value
    with pytest.raises(CheckpointError, match=re.escape(words)):
        read(tensors, config)


def test_older_ways_to_write_a_configuration_are_read() -> None:
    tensors, config = given(BLOCKS)
    wanted = read(tensors, config)["up.weight"]
    config["config_groups"]["group_0"]["weights"]["block_structure"] = "16x32"
    np.testing.assert_array_equal(read(tensors, config)["up.weight"], wanted)
    tensors, config = given("gptq")
    wanted = read(tensors, config)["up.weight"]
    np.testing.assert_array_equal(read(tensors, config | {"quant_method": "GPTQ"})["up.weight"], wanted)


def test_each_module_has_the_inputs_of_its_own_group() -> None:
    tensors, config = given(INT4)
    floats, _ = given(FLOAT8)
    tensors |= {key.replace("up.", "layers.0.down."): tensor for key, tensor in floats.items()}
    inputs = {"num_bits": 8, "type": "float", "dynamic": False}
    named = {"targets": ["re:.*down"], "weights": {"num_bits": 8, "type": "float", "strategy": "tensor"}}
    config["config_groups"]["group_1"] = named | {"input_activations": inputs}
    found = quantization_of(tensors, config=config)
    assert found is not None
    assert {key: weight.scheme.activations for key, weight in found.weights.items()} == {
        "up.weight": "", "layers.0.down.weight": "float8_e4m3fn"
    }  # fmt: skip


def test_a_configuration_of_other_paths_is_that_of_all_where_there_is_one() -> None:
    tensors, config = given(CHANNEL)
    wanted = str(quantization_of(tensors, config=config))
    assert wanted.endswith("inputs in float8_e4m3fn (measured)")
    config["config_groups"]["group_0"]["targets"] = ["model.language_model.up"]
    assert str(quantization_of(tensors, config=config)) == wanted


def test_autofp8_has_one_scale_and_that_of_the_inputs() -> None:
    tensors, _ = given(FLOAT8)
    static = {"quant_method": "fp8", "activation_scheme": "static"}
    found = quantization_of(tensors, config=static)
    assert str(found) == "FP8 blocks: 1 of float8_e4m3fn, one scale, inputs in float8_e4m3fn"
    product = tensors["up.weight"].float() * tensors["up.weight_scale"].float()
    ours = read(tensors, static)
    np.testing.assert_array_equal(ours["up.weight"], product.to(torch.from_numpy(ours["up.weight"]).dtype).numpy())
    assert ours["inputs"] == [float(tensors["up.input_scale"])]
    del tensors["up.input_scale"]
    assert str(quantization_of(tensors, config=static)).endswith("inputs in float8_e4m3fn (measured)")


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_number_in_the_place_of_blocks(shape: tuple[int, ...]) -> None:
    tensors, config = given("fp8_blocks")
    tensors["up.weight_scale_inv"] = torch.full(shape, 0.25)
    with pytest.raises(CheckpointError, match="match no blocks of 128 x 128"):
        read(tensors, config)
    tensors["up.activation_scale"] = torch.tensor(0.5)
    found = read(tensors, config | {"weight_block_size": None, "activation_scheme": "static"})
    np.testing.assert_array_equal(found["up.weight"].astype(np.float32), tensors["up.weight"].float().numpy() * 0.25)
    assert found["inputs"] == [0.5]


def torchao(folder: Path, change: Callable[[Tensors, dict[str, str]], Any]) -> Path:
    """The file of torchao, changed."""
    with safe_open(DATA / "torchao" / "model.safetensors", "pt") as file:
        metadata = file.metadata()
    tensors = load_file(DATA / "torchao" / "model.safetensors")
    change(tensors, metadata)
    save_file(tensors, folder / "model.safetensors", metadata)
    return folder / "model.safetensors"


def attribute(key: str, name: str, value: Any) -> Callable[[Tensors, dict[str, str]], Any]:
    def change(tensors: Tensors, metadata: dict[str, str]) -> None:
        said = json.loads(metadata[key])
        said["_data"][name] = value
        metadata[key] = json.dumps(said)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, m: t.pop("zeros._weight_zero_point"), "zeros._weight_zero_point is missing, without which"),
        (lambda t, m: t.update({"zeros._weight_zero_point": torch.zeros(23, 1)}), "zero_point [23, 1] does not fit"),
        (lambda t, m: t.update({"int8._weight_qdata": torch.zeros(24, 128)}), "found float32"),
        (lambda t, m: t.update({"float8._weight_qdata": t["float8._weight_qdata"].view(torch.int8)}), "found int8"),
        (lambda t, m: t.update({"zeros._weight_zero_point": torch.full((24, 1), 200)}), "from -128 to 127, found 200"),
        (attribute("int8.weight", "target_dtype", {"_data": "int4"}), "qdata is whole numbers from -8 to 7, found"),
        (lambda t, m: t.update({"int8._weight_scale": torch.ones(24, 1).long()}), "scale is of floats, found int64"),
        (lambda t, m: m.update({"int8.weight": "3"}), "metadata of 'int8.weight' has a class and attributes, found 3"),
        (lambda t, m: m.update({"int8.weight": '{"_type": "x", "_data": 3}'}), "has a class and attributes, found"),
        (lambda t, m: m.update({"tensor_names": "3"}), "metadata 'tensor_names' is a list, found 3"),
        (attribute("float8.weight", "dtype", {"_data": "float7"}), "its dtype is one of floats, found {'_data'"),
        (attribute("int4.weight", "target_dtype", {"_data": "float4"}), "its target_dtype is int1 to int8, found"),
    ],
)  # fmt: skip
def test_torchaos_metadata_and_tensors_that_are_none_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    file = torchao(tmp_path, change)
    with pytest.raises(CheckpointError, match=re.escape(words)):
        found = quantization_of(file)
        assert found is not None
        _ = [found.dequantized()[key] for key in found.weights]


def test_shards_of_torchao_have_the_metadata_of_all(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = torchao(tmp_path / "whole", lambda tensors, metadata: None)
    with safe_open(whole, "pt") as file:
        metadata = file.metadata()
    tensors, names = load_file(whole), json.loads(metadata["tensor_names"])
    for number, own in enumerate((names[:3], names[3:]), start=1):
        modules = [name.removesuffix("weight") for name in own]
        shard = {key: tensor for key, tensor in tensors.items() if key.startswith(tuple(modules))}
        about = {name: metadata[name] for name in own} | {"tensor_names": json.dumps(own)}
        save_file(shard, tmp_path / f"model-{number:05}-of-00002.safetensors", about)
    found, wanted = quantization_of(tmp_path), quantization_of(whole)
    assert found is not None and wanted is not None and {*found.weights} == {*wanted.weights} == {*names[:5]}
    for key in names:
        np.testing.assert_array_equal(found.dequantized()[key], wanted.dequantized()[key])


AMAX = "up._weight_quantizer._amax"
WEIGHT = torch.randn(12, 64, generator=torch.Generator().manual_seed(1))
RANGED = {"up.weight": WEIGHT, AMAX: WEIGHT.abs().amax(1, keepdim=True)}
FAKE = {
    "up.weight": WEIGHT,
    "up.weight_fake_quant.scale": WEIGHT.abs().amax(1) / 127,
    "up.weight_fake_quant.zero_point": torch.zeros(12, dtype=torch.int32),
}


@pytest.mark.parametrize(
    ("tensors", "key", "change", "words"),
    [
        (RANGED, AMAX, one(NAN), "_weight_quantizer._amax is a range of 0 or more, found nan"),
        (RANGED, AMAX, one(-1), "_weight_quantizer._amax is a range of 0 or more, found -1.0"),
        (RANGED, AMAX, one(0), "_weight_quantizer._amax has a range of 0 for weights that are not 0"),
        (RANGED, "up.weight", one(NAN), "weight has 1 NaN or infinite value"),
        (RANGED, "up.weight", one(INF), "weight has 1 NaN or infinite value"),
        (RANGED, "up.weight", lambda x: x.to(torch.int8), "weight is of floats, found int8"),
        (FAKE, "up.weight_fake_quant.scale", one(-1), "weight_fake_quant.scale is above 0, found -1.0"),
        (FAKE, "up.weight_fake_quant.zero_point", one(3), "zero points of weights are 0"),
        (FAKE, "up.weight", one(INF), "weight has 1 NaN or infinite value"),
    ],
)  # fmt: skip
def test_ranges_that_are_none_are_refused(tensors: Tensors, key: str, change: Change, words: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(words)):
        read(tensors | {key: change(tensors[key])}, {})


def test_ranges_of_channels_of_zeros_and_of_blocks() -> None:
    weight = WEIGHT.clone()
    weight[3] = 0
    found = read({"up.weight": weight, AMAX: weight.abs().amax(1, keepdim=True)}, {})["up.weight"]
    assert not found[3].any() and found[2].any()
    blocks = WEIGHT.reshape(12, 4, 16).abs().amax(2)
    found = read({"up.weight": WEIGHT, AMAX: blocks}, {})["up.weight"]
    scale = (blocks / 127).repeat_interleave(16, 1)
    np.testing.assert_array_equal(found, ((WEIGHT / scale).round() * scale).numpy())


def test_modelopts_factor_of_the_inputs_is_part_of_the_weight() -> None:
    """The product is of ``round(inputs * pre_quant_scale)`` with the weight, which was divided by it before."""
    factor = torch.linspace(0.5, 2, 64)
    tensors = {"up.weight": WEIGHT, "up.weight_quantizer._amax": RANGED[AMAX]}
    config = {"quant_method": "amax", "dtype": "int8"}
    plain = read(dict(tensors), config)["up.weight"]
    found = read(tensors | {"up.input_quantizer._pre_quant_scale": factor}, config)
    assert {*found} == {"up.weight", "inputs"}
    np.testing.assert_array_equal(found["up.weight"], plain * factor.numpy())


@pytest.mark.parametrize(("name", "lost"), [(FLOAT8, "weight_scale"), ("fp8_blocks", "weight_scale_inv")])
def test_values_that_have_lost_their_scale_are_refused(name: str, lost: str) -> None:
    tensors, config = given(name)
    tensors |= {key.replace("up.", "down."): tensor.clone() for key, tensor in tensors.items() if key.startswith("up.")}
    del tensors[f"down.{lost}"]
    with pytest.raises(CheckpointError, match=r"down.weight is float8_e4m3fn, and has no scale that .* Is a shard mis"):
        read(tensors, config)


def test_experts_in_bytes_that_are_not_read_are_refused_and_masks_are_not() -> None:
    tensors, config = given("modelopt_nvfp4")
    tensors |= {"attn.bias": torch.ones(1, 1, 4, 4, dtype=torch.uint8)}
    assert {"up.weight", "attn.bias"} <= {*read(tensors, config)}
    tensors |= {
        "experts.up_proj": torch.ones(2, 8, 16, dtype=torch.uint8),
        "experts.up_proj_weight_scale": torch.ones(2),
    }
    with pytest.raises(CheckpointError, match=r"experts.up_proj is uint8, and has no scale that ModelOpt knows"):
        read(tensors, config)


@pytest.mark.parametrize("said", [[1], "awq", 3])
def test_a_quantization_that_is_no_table_is_refused(said: Any, tmp_path: Path) -> None:
    tensors, _ = given(INT4)
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": said}))
    with pytest.raises(CheckpointError, match=r"config.json: quantization_config is a table, found"):
        quantization_of(tmp_path)


def test_integers_of_few_bits_may_be_stored_in_bytes() -> None:
    """compressed-tensors packs weights alone; beside quantized inputs (W4A8) they are int8."""
    tensors, config = given("compressed_tensors_int8")
    config["config_groups"]["group_0"]["weights"]["num_bits"] = 4
    few = {**tensors, "up.weight": tensors["up.weight"].clamp(-8, 7)}
    product = few["up.weight"].float() * few["up.weight_scale"].float()
    found = read(few, config)["up.weight"]
    np.testing.assert_array_equal(found.astype(np.float32), product.to(torch.bfloat16).float().numpy())
    with pytest.raises(CheckpointError, match=r"up: its values are not of 4 bits, as .* says: -\d+ to \d+"):
        read(tensors, config)


@pytest.mark.parametrize(("bits", "kind"), [(4, "float4_e2m1fn"), (8, "float8_e4m3fn")])
def test_measured_inputs_of_mxfp4_are_known(bits: int, kind: str) -> None:
    tensors, config = given(MXFP4)
    group = config["config_groups"]["group_0"]
    group["input_activations"] = {"num_bits": bits, "type": "float", "dynamic": True}
    found = quantization_of(tensors, config=config)
    assert str(found) == f"compressed-tensors: 1 of float4_e2m1fn, a scale a block of 32, inputs in {kind} (measured)"
    group["weights"]["num_bits"] = 6
    with pytest.raises(CheckpointError, match=r"says 6 bits of float in bytes; trtnet reads those of 4 bits"):
        quantization_of(tensors, config=config)
