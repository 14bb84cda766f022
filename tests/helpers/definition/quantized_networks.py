"""Networks whose products and convolutions are quantized, with weights and inputs, and their calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

import trtnet
from trtnet import nn, ops
from trtnet.definition.quantization import NAMED, WeightScheme
from trtnet.definition.quantization.planning import Watch
from trtnet.models.llama import LlamaConfig
from trtnet.support import dtypes
from trtnet.tools.quantize.observing import Observer, watched
from trtnet.tools.quantize.ranges import scale_of

Arrays = Mapping[str, Any]


class Perceptron(nn.Module):
    """Two products with a ReLU between."""

    def __init__(self, width: int, inner: int) -> None:
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.fc2(ops.relu(self.fc1(x)))


class Convolutions(nn.Module):
    """A 3x3 and a 1x1 convolution with a shortcut beside them, and ReLUs."""

    def __init__(self, channels: int) -> None:
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.relu(self.conv2(ops.relu(self.conv1(x))) + x)


class Up(nn.Module):
    """A product without a bias."""

    def __init__(self, rows: int, columns: int) -> None:
        self.up = nn.Linear(columns, rows, bias=False)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.up(x)


LARGEST = {"int8": 127, "fp8": 448}
"""The magnitude that the largest value has, by the first part of a scheme's name."""


class Attention(nn.Module):
    """Attention without a mask."""

    def forward(self, q: trtnet.Tensor, k: trtnet.Tensor, v: trtnet.Tensor) -> trtnet.Tensor:
        return ops.scaled_dot_product_attention(q, k, v)


class CacheStep(nn.Module):
    """A step of attention's scores over a cache of `capacity` keys that it writes."""

    def __init__(self, heads: int, capacity: int, width: int) -> None:
        new = trtnet.Input(("batch", heads, "length", width))
        keys = trtnet.Input(("batch", heads, capacity, width))
        self.inputs = {"query": new, "update": new, "held": trtnet.Input(("batch",), "int32"), "keys": keys}

    def forward(
        self, query: trtnet.Tensor, update: trtnet.Tensor, held: trtnet.Tensor, keys: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        keys = ops.kv_cache_update(keys, update, held)
        return {"scores": query @ keys.mT, "new_keys": keys}


PLACEMENTS = (
    "channels", "channels, float32 scales", "one scale", "one scale, channels after",
    "one scale, float32 channels after", "float32", "bfloat16",
)  # fmt: skip
"""Ways to say a product of quantized inputs with a weight of a scale a channel; "one scale" alone is coarser."""


class Placed(nn.Module):
    """A product of inputs and a weight that are quantized, with a bias; dtype: of both."""

    def __init__(self, placement: str, dtype: str, rows: int, columns: int) -> None:
        self.placement, self.dtype, largest = placement, dtype, 127.0 if dtype == "int8" else 448.0
        weight = random(1, rows, columns).numpy() / columns**0.5 * np.linspace(0.2, 1, rows, dtype=np.float32)[:, None]
        self.bias = random(2, rows).numpy() / 10
        self.input_scale = np.float32(4 / largest)
        scale = np.abs(weight).max(1) / largest
        self.scale = np.full_like(scale, scale.max()) if placement == "one scale" else scale
        values = weight / self.scale[:, None]
        self.values = (np.rint(values) if dtype == "int8" else values).astype(dtypes.get(dtype).numpy)

    def expected(self, x: torch.Tensor) -> torch.Tensor:
        """What it gives in float32, of the same quantized operands."""
        scaled = x / float(self.input_scale)
        if self.dtype == "int8":
            taken = scaled.round().clamp(-128, 127)
        else:
            taken = scaled.clamp(-448, 448).to(torch.float8_e4m3fn).float()
        weight = torch.from_numpy(self.values.astype(np.float32) * self.scale[:, None]).to(x.device)
        return (taken * float(self.input_scale)) @ weight.T + torch.from_numpy(self.bias).to(x.device)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        wide = {"float32": "float32", "bfloat16": "bfloat16"}.get(self.placement, "float16")
        scales = np.float32 if self.placement in ("float32", "channels, float32 scales") else dtypes.get(wide).numpy
        taken = ops.quantize(x, self.input_scale, dtype=self.dtype)
        inputs = ops.dequantize(taken, trtnet_constant(self.input_scale, scales), dtype=wide)
        one = self.placement.startswith("one scale")
        scale, axis = (self.scale.max(), None) if one else (self.scale, 0)
        weight = ops.dequantize(self.values, trtnet_constant(scale, scales), axis=axis, dtype=wide)
        y = ops.matmul(inputs, weight.mT)
        if self.placement == "one scale, channels after":
            y = y * (self.scale / self.scale.max()).astype(np.float16)
        elif self.placement == "one scale, float32 channels after":
            y = (y.to("float32") * (self.scale / self.scale.max())).to("float16")
        return y.to("float16") + self.bias.astype(np.float16)


def trtnet_constant(value: Any, dtype: Any) -> trtnet.Tensor:
    """A scale as a tensor of a dtype, which no operation changes."""
    return ops.as_tensor(np.asarray(value).astype(dtype))


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def perceptron_weights(width: int, inner: int) -> dict[str, np.ndarray[Any, Any]]:
    sizes = {"fc1.weight": (inner, width), "fc1.bias": (inner,), "fc2.weight": (width, inner), "fc2.bias": (width,)}
    return {
        key: (random(i, *shape) / shape[-1] ** (0.5 if len(shape) > 1 else 0)).numpy() * (1 if len(shape) > 1 else 0.1)
        for i, (key, shape) in enumerate(sizes.items())
    }


def convolution_weights(channels: int) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "conv1.weight": (random(1, channels, channels, 3, 3) / (9 * channels) ** 0.5).numpy(),
        "conv1.bias": 0.1 * random(2, channels).numpy(),
        "conv2.weight": (random(3, channels, channels, 1, 1) / channels**0.5).numpy(),
        "conv2.bias": 0.1 * random(4, channels).numpy(),
    }


def per_token_checkpoint(folder: Path, weights: Arrays) -> Path:
    """Weights in float8, a scale a channel, whose inputs were quantized with scales measured at run time."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, torch.Tensor] = {}
    for key, array in weights.items():
        tensor = torch.from_numpy(array)
        if tensor.ndim == 2:
            scale = tensor.abs().amax(1, keepdim=True) / 448
            found[f"{key}_scale"] = scale
            tensor = (tensor / scale).to(torch.float8_e4m3fn)
        found[key] = tensor.contiguous()
    kind = {"num_bits": 8, "type": "float"}
    group = {
        "weights": {**kind, "strategy": "channel"},
        "input_activations": {**kind, "strategy": "token", "dynamic": True},
        "targets": ["Linear"],
    }
    config = {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"group_0": group}}
    (folder / "config.json").write_text(json.dumps({"quantization_config": {**config, "ignore": []}}))
    save_file(found, folder / "model.safetensors")
    return folder / "model.safetensors"


def decoder_config(layers: int, capacity: int) -> LlamaConfig:
    """Llama 7B's layers, with few tokens, so that the layers take the time."""
    return LlamaConfig(
        vocab_size=1024, hidden_size=4096, intermediate_size=11008, num_hidden_layers=layers, num_attention_heads=32,
        num_key_value_heads=32, tie_word_embeddings=True, capacity=capacity,
    )  # fmt: skip


def decoder_weights(config: LlamaConfig) -> dict[str, np.ndarray[Any, Any]]:
    """Random weights in float16; layers have the same rows in other orders."""
    width, inner = config.hidden_size, config.intermediate_size
    sizes = {
        **{f"self_attn.{name}_proj": (width, width) for name in "qkvo"},
        "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner),
    }  # fmt: skip
    layer = {f"{n}.weight": (random(i, *s) / s[1] ** 0.5).half().numpy() for i, (n, s) in enumerate(sizes.items())}
    ones = np.ones(width, np.float16)
    layer |= {"input_layernorm.weight": ones, "post_attention_layernorm.weight": ones}
    found = {
        f"model.layers.{i}.{key}": np.roll(array, i, 0)
        for i in range(config.num_hidden_layers)
        for key, array in layer.items()
    }
    embedded = (random(99, config.vocab_size, width) / width**0.5).half().numpy()
    return {**found, "model.embed_tokens.weight": embedded, "model.norm.weight": ones}


def scale_free(scheme: str) -> bool:
    """Whether a scheme leaves the inputs of products floats."""
    found = NAMED[scheme]
    return found is None or found.inputs is None


def scheme_with(scheme: str, input_scale: float | None) -> WeightScheme | None:
    found = NAMED[scheme]
    return found if found is None or found.inputs is None else replace(found, input_scale=input_scale)


def calibrated(model: nn.Module, inputs: Arrays, weights: Any, call: Arrays) -> dict[str, dict[str, float]]:
    """The scales of the inputs of each weight's product, by its key and the dtype of the inputs."""
    network = trtnet.define(model, inputs, weights, quantization=Watch())
    seen = Observer(network, watched(network).uses, lambda _: None).observe([call])
    return {
        key: {name: scale_of(found.values, dtypes.get(name), "mse") for name in ("int8", "float8_e4m3fn")}
        for key, found in seen.items()
    }


def schemes_for(scheme: str, scales: Mapping[str, Mapping[str, float]], fits: str = "") -> dict[str, Any]:
    """What ``define(quantization=)`` takes: the scheme, with its scales, for the keys that hold one of these words."""
    named = NAMED[scheme]
    kind = "" if named is None or named.inputs is None else named.inputs
    words = fits.split()
    return {
        key: scheme_with(scheme, found[kind] if kind else None)
        for key, found in scales.items()
        if not words or any(word in key for word in words)
    }
