"""The scales of caches that published checkpoints have: which cache of a network gets which, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import trtnet
from trtnet import models
from trtnet.checkpoint.quantized.quantization import quantization_of
from trtnet.checkpoint.rules.ruleset import parse
from trtnet.graph.quantized import QuantizedAttention
from trtnet.models.llama import LlamaConfig
from trtnet.support.errors import CheckpointError, ModelError
from trtnet.tools.targets.networks import Choices, define_network

CONFIG = LlamaConfig(
    vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, capacity=8, tie_word_embeddings=False,
)  # fmt: skip
ARGUMENTS = [f"{name}={value}" for name, value in asdict(CONFIG).items() if value not in (None, ())]
FP8 = {"type": "float", "num_bits": 8, "dynamic": False, "strategy": "tensor", "symmetric": True}
SCHEME = {"quant_method": "compressed-tensors", "format": "float-quantized", "kv_cache_scheme": FP8}
MODELOPT = {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}
SCALES = {"key_0": 0.02, "value_0": 0.03, "key_1": 0.04, "value_1": 0.05}
VALUES = torch.Generator().manual_seed(3)


def scales(key: str, value: str) -> dict[str, torch.Tensor]:
    """Those of both layers, by the names in a module of attention."""
    found = {}
    for i in (0, 1):
        for name, scale in ((key, SCALES[f"key_{i}"]), (value, SCALES[f"value_{i}"])):
            found[f"model.layers.{i}.self_attn.{name}"] = torch.tensor([scale])
    return found


def checkpoint(folder: Path, extra: dict[str, torch.Tensor], config: dict[str, Any] | None) -> Path:
    """A decoder of two layers, the products of its perceptrons in float8, with further tensors and a configuration."""
    tensors = dict(extra)
    for key, parameter in models.llama(CONFIG).named_parameters():
        weight = torch.randn(*parameter.shape, generator=VALUES) / 4
        if ".mlp." in key:
            tensors[f"{key}_scale"] = torch.tensor(0.01)
            weight = (weight / 0.01).clamp(-448, 448).to(torch.float8_e4m3fn)
        tensors[key] = weight
    save_file(tensors, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps({"quantization_config": config}))
    return folder


def caches(network: trtnet.DefinedNetwork) -> dict[str, tuple[str, float]]:
    """The dtype and the scale of each cache of a network."""
    return {name: (found.dtype.name, float(found.scale)) for name, found in network.quantized.caches.items()}


FLOAT8 = {name: ("float8_e4m3fn", pytest.approx(scale)) for name, scale in SCALES.items()}


@pytest.mark.parametrize(
    ("names", "config"),
    [
        (("k_scale", "v_scale"), SCHEME),
        (("k_proj.k_scale", "v_proj.v_scale"), MODELOPT),
        (("k_proj.k_scale", "v_proj.v_scale"), MODELOPT | {"kv_cache_quant_algo": None, "kv_cache_scheme": FP8}),
        (("attn.k_scale", "attn.v_scale"), SCHEME),
        (("k_proj.output_scale", "v_proj.output_scale"), SCHEME),
        (("k_scale", "v_scale"), None),
    ],
    ids=["compressed-tensors", "ModelOpt", "ModelOpt's config.json", "vLLM", "outputs of products", "nothing said"],
)
def test_each_cache_has_the_scale_of_its_layer(names: tuple[str, str], config: Any, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, scales(*names), config)
    network = trtnet.define(models.llama(CONFIG), weights=folder, quantization="checkpoint")
    assert caches(network) == FLOAT8
    found = quantization_of(folder)
    assert found is not None
    caches_said = "; caches in float8_e4m3fn" if config else "one scale"
    assert str(found).endswith(caches_said)
    assert {*found.dequantized()} == {key for key, _ in models.llama(CONFIG).named_parameters()}


def test_a_network_of_a_checkpoint_computes_what_one_of_given_scales_does(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, scales("k_scale", "v_scale"), SCHEME)
    given = {name: {"scheme": "fp8_cache", "scale": scale} for name, scale in SCALES.items()}
    arrays: dict[str, Any] = {name: np.zeros((2, 2, 8, 4), ml_dtypes.float8_e4m3fn) for name in SCALES}
    arrays |= {"input_ids": np.arange(6).reshape(2, 3), "write_indices": np.array([0, 2], np.int32)}
    ours, theirs = (
        trtnet.define(models.llama(CONFIG), weights=folder, quantization=said).reference()(**arrays)
        for said in ("checkpoint", given | {"*": "checkpoint"})
    )
    assert {*ours.keys()} == {"logits", *(f"new_{name}" for name in SCALES)}
    for name, array in ours.items():
        np.testing.assert_array_equal(array.view(np.uint8), theirs[name].view(np.uint8))
    assert np.any(ours["new_key_1"].view(np.uint8))


def test_one_scale_of_both_a_scale_a_head_and_none_at_all(tmp_path: Path) -> None:
    both = {f"model.layers.{i}.self_attn.kv_scale": torch.tensor(0.5) for i in (0, 1)}
    found = trtnet.define(models.llama(CONFIG), weights=checkpoint(tmp_path, both, None), quantization="checkpoint")
    assert caches(found) == dict.fromkeys(SCALES, ("float8_e4m3fn", 0.5))

    heads = {key: torch.tensor([0.1, 0.2]).reshape(2, 1, 1) for key in scales("k_scale", "v_scale")}
    int8 = SCHEME | {"kv_cache_scheme": FP8 | {"type": "int", "strategy": "attn_head"}}
    found = trtnet.define(models.llama(CONFIG), weights=checkpoint(tmp_path, heads, int8), quantization="checkpoint")
    assert {str(each) for each in found.quantized.caches.values()} == {"cache in int8, a scale a head"}
    np.testing.assert_allclose(found.quantized.caches["value_1"].scale, [0.1, 0.2])

    found = trtnet.define(models.llama(CONFIG), weights=checkpoint(tmp_path, {}, SCHEME), quantization="checkpoint")
    assert caches(found) == dict.fromkeys(SCALES, ("float8_e4m3fn", 1.0))


def test_caches_stay_floats_where_a_pattern_says_so_and_weights_where_another_does(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, scales("k_scale", "v_scale"), SCHEME)
    said = {"key_*": "none", "value_*": "none", "*.up_proj": "none", "lm_head": "int8_weights", "*": "checkpoint"}
    network = trtnet.define(models.llama(CONFIG), weights=folder, quantization=said)
    gates = [f"model.layers.{i}.mlp.{name}_proj.weight" for i in (0, 1) for name in ("gate", "down")]
    assert {*network.describe().quantization} == {*gates, "lm_head.weight"}
    with pytest.raises(ModelError, match="'fc' matches no module with a weight of its own"):
        trtnet.define(models.llama(CONFIG), weights=folder, quantization={"fc": "checkpoint", **said})


def test_a_checkpoint_whose_caches_alone_are_quantized(tmp_path: Path) -> None:
    tensors = {key: torch.randn(*parameter.shape) for key, parameter in models.llama(CONFIG).named_parameters()}
    save_file(tensors | scales("k_proj.k_scale", "v_proj.v_scale"), tmp_path / "model.safetensors")
    quantization = {"quant_algo": None, "kv_cache_quant_algo": "FP8"}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps({"quantization": quantization}))
    assert str(quantization_of(tmp_path)) == "ModelOpt: caches in float8_e4m3fn"
    network = trtnet.define(models.llama(CONFIG), weights=tmp_path, quantization="checkpoint")
    assert caches(network) == FLOAT8


def test_rules_and_the_command_line_keep_what_is_said_of_caches_and_attention(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, scales("k_scale", "v_scale"), SCHEME)
    network = define_network("llama", Choices(str(folder), arguments=ARGUMENTS, quantization="checkpoint"))
    assert caches(network) == FLOAT8
    file = tmp_path / "caches.json"
    file.write_text(json.dumps({"value_*": "none", "*": "checkpoint"}))
    network = define_network("llama", Choices(str(folder), arguments=ARGUMENTS, quantization=str(file)))
    assert {*caches(network)} == {"key_0", "key_1"}

    names = ("q_scale", "k_scale", "prob_scale", "v_scale")
    products = {f"model.layers.{i}.self_attn.{name}": torch.tensor(0.1) for i in (0, 1) for name in names}
    folder = checkpoint(tmp_path, products, SCHEME | {"kv_cache_scheme": None})
    network = define_network("llama", Choices(str(folder), arguments=ARGUMENTS, quantization="checkpoint"))
    wanted = QuantizedAttention(trtnet.support.dtypes.float8_e4m3fn, *(float(np.float32(0.1)),) * 4)
    assert network.quantized.attentions == {f"model.layers.{i}.self_attn": wanted for i in (0, 1)}
    assert not network.quantized.caches


def test_scales_follow_the_number_of_the_layer_through_rules(tmp_path: Path) -> None:
    found = quantization_of(checkpoint(tmp_path, scales("k_scale", "v_scale"), SCHEME))
    assert found is not None
    there = parse('[[rules]]\nstrip_prefix = "model."', "there").apply({"model.lm_head.weight": torch.ones(1)})
    assert {*there} == {"lm_head.weight"}
    moved = parse('[[rules]]\nadd_prefix = "decoder."', "moved").apply(found.dequantized())
    back = parse('[[rules]]\nstrip_prefix = "decoder."', "back").apply(moved)
    assert caches(trtnet.define(models.llama(CONFIG), weights=back, quantization="checkpoint")) == FLOAT8


class Named(trtnet.nn.Module):
    """A cache of keys of a name, beside a product."""

    def __init__(self, name: str) -> None:
        self.fc = trtnet.nn.Linear(4, 4, bias=False)
        self.inputs = {name: trtnet.Input((1, 2, 8, 4))}

    def forward(self, *keys: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        (cache,) = keys
        return {f"new_{next(iter(self.inputs))}": trtnet.ops.cat([cache[:, :, 1:], self.fc(cache[:, :, :1])], 2)}


def named(folder: Path) -> Path:
    tensors = {"fc.weight": torch.ones(4, 4).to(torch.float8_e4m3fn), "fc.weight_scale": torch.tensor(0.1)}
    save_file(tensors | scales("k_scale", "v_scale"), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"quantization_config": SCHEME}))
    return folder


@pytest.mark.parametrize(
    ("name", "scale"),
    [("past_key_values_1_key", 0.04), ("past_value_0", 0.03), ("k_cache_1", 0.04), ("layer1_values", 0.05)],
)
def test_names_of_inputs_say_which_cache_they_are(name: str, scale: float, tmp_path: Path) -> None:
    network = trtnet.define(Named(name), weights=named(tmp_path), quantization="checkpoint")
    assert caches(network) == {name: ("float8_e4m3fn", pytest.approx(scale))}


@pytest.mark.parametrize("name", ["cache_0", "key", "key_7", "key_value_0", "key_0_1"])
def test_a_cache_whose_name_says_nothing_is_an_error_with_what_to_write(name: str, tmp_path: Path) -> None:
    folder = named(tmp_path)
    with pytest.raises(ModelError, match=rf"{name}: the checkpoint's caches are in float8_e4m3fn, such as those of m"):
        trtnet.define(Named(name), weights=folder, quantization="checkpoint")
    said = {name: {"scheme": "fp8_cache", "scale": 0.02}, "*": "checkpoint"}
    assert caches(trtnet.define(Named(name), weights=folder, quantization=said)).keys() == {name}


K, V = "model.layers.0.self_attn.k_scale", "model.layers.0.self_attn.v_scale"


@pytest.mark.parametrize(
    ("changed", "config", "error", "words"),
    [
        ({K: torch.tensor(float("nan"))}, SCHEME, CheckpointError, f"{K} is the scale of a cache, which is finite"),
        ({K: torch.tensor(0.0)}, SCHEME, CheckpointError, "is finite and above 0; found [0.0]"),
        ({V: torch.tensor(-1.0)}, SCHEME, CheckpointError, "is finite and above 0; found [-1.0]"),
        ({V: torch.ones(2, 3)}, SCHEME, CheckpointError, "one number, or one for each head; found [2, 3]"),
        ({V: torch.ones(5)}, SCHEME, ModelError, "the cache value_0 has 2 heads, and 5 scales"),
        ({"model.layers.0.self_attn.attn.k_scale": torch.tensor(9.0)}, SCHEME, CheckpointError, "that differ"),
        ({V: None}, SCHEME, CheckpointError, "has the scale of its key cache, and not of the other. Is a shard"),
        ({V: None, K: None}, SCHEME, ModelError, "key_0, value_0: the checkpoint's caches are in float8_e4m3fn"),
        ({"model.layers.0.self_attn.k_proj.k_bias": torch.ones(2)}, SCHEME, ModelError, "is a zero point or offset of"),
        ({}, SCHEME | {"kv_cache_scheme": None}, ModelError, "says that caches are floats"),
        ({}, SCHEME | {"kv_cache_scheme": FP8 | {"dynamic": True}}, ModelError, "measured at run time"),
        ({}, SCHEME | {"kv_cache_scheme": FP8 | {"num_bits": 4}}, ModelError, "caches are held in int8 or float8"),
        ({}, MODELOPT | {"kv_cache_quant_algo": "NVFP4"}, ModelError, "kv_cache_quant_algo is 'NVFP4'; caches are"),
        ({}, SCHEME | {"kv_cache_scheme": 8}, CheckpointError, "kv_cache_scheme is a table or a name, found 8"),
        (dict.fromkeys(scales("k_scale", "v_scale")), MODELOPT | {"kv_cache_quant_algo": "INT8"}, ModelError,
         "kv_cache_quant_algo is of int8, and"),
    ],
)  # fmt: skip
def test_scales_that_are_none_are_refused(
    changed: dict[str, Any], config: Any, error: type[Exception], words: str, tmp_path: Path
) -> None:
    tensors = {key: scale for key, scale in (scales("k_scale", "v_scale") | changed).items() if scale is not None}
    folder = checkpoint(tmp_path, tensors, config)
    with pytest.raises(error, match=re.escape(words)):
        trtnet.define(models.llama(CONFIG), weights=folder, quantization="checkpoint")


@pytest.mark.parametrize("value", [float("nan"), 0.0, -1.0, float("inf")])
def test_scales_of_attention_are_above_0(value: float, tmp_path: Path) -> None:
    names = ("q_scale", "k_scale", "prob_scale", "v_scale")
    products = {f"model.layers.0.self_attn.{name}": torch.tensor(0.1) for name in names}
    products["model.layers.0.self_attn.prob_scale"] = torch.tensor(value)
    folder = checkpoint(tmp_path, products, SCHEME | {"kv_cache_scheme": None})
    with pytest.raises(CheckpointError, match=r"self_attn: prob_scale is a number above 0, found"):
        trtnet.define(models.llama(CONFIG), weights=folder, quantization="checkpoint")


def test_attention_and_its_caches_may_both_be_in_8_bits(tmp_path: Path) -> None:
    more = {
        f"model.layers.{i}.self_attn.{name}": torch.tensor(0.1) for i in (0, 1) for name in ("q_scale", "prob_scale")
    }
    folder = checkpoint(tmp_path, scales("k_scale", "v_scale") | more, SCHEME)
    network = trtnet.define(models.llama(CONFIG), weights=folder, quantization="checkpoint")
    assert caches(network) == FLOAT8 and {*network.quantized.attentions} == {
        f"model.layers.{i}.self_attn" for i in (0, 1)
    }
