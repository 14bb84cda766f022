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
from trtnet import models, nn, ops
from trtnet.definition.quantization import NAMED, WeightScheme
from trtnet.definition.quantization.planning import Watch
from trtnet.models.llama import LlamaConfig
from trtnet.models.vit import EncoderBlock, VisionTransformer, ViTConfig
from trtnet.support import dtypes
from trtnet.tools.quantize.observing import observe
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


class FlatAttention(nn.MultiheadAttention):
    """Self-attention of rows that are the positions of all images, [batch * length, width]."""

    def forward(self, x: trtnet.Tensor, batch: int) -> trtnet.Tensor:  # type: ignore[override]
        qkv = ops.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.reshape(batch, -1, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        y = ops.scaled_dot_product_attention(q, k, v)
        return self.out_proj(y.transpose(1, 2).reshape(x.shape[0], self.embed_dim))


class FlatBlock(EncoderBlock):
    """The block of a vision transformer on such rows."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.self_attention = FlatAttention(config.hidden_dim, config.num_heads, batch_first=True)

    def forward(self, x: trtnet.Tensor, batch: int = 0) -> trtnet.Tensor:
        x = x + self.self_attention(self.ln_1(x), batch)
        return x + self.mlp(self.ln_2(x))


class FlatViT(VisionTransformer):
    """A vision transformer whose products are of matrices; the last norm is of the class tokens alone."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        blocks = {f"encoder_layer_{i}": FlatBlock(config) for i in range(config.num_layers)}
        self.encoder.layers = nn.Sequential(blocks)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        patches = self.conv_proj(image).flatten(2).transpose(1, 2)
        batch, width = patches.shape[0], patches.shape[2]
        x = ops.cat([ops.expand(self.class_token, (batch, -1, -1)), patches], dim=1) + self.encoder.pos_embedding
        rows = x.reshape(-1, width)
        for block in self.encoder.layers:
            rows = block(rows, batch)
        return self.heads(self.encoder.ln(rows.reshape(batch, -1, width)[:, 0]))


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
    """Random weights in float16; all layers have the same arrays."""
    width, inner = config.hidden_size, config.intermediate_size
    sizes = {
        **{f"self_attn.{name}_proj": (width, width) for name in "qkvo"},
        "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner),
    }  # fmt: skip
    layer = {f"{n}.weight": (random(i, *s) / s[1] ** 0.5).half().numpy() for i, (n, s) in enumerate(sizes.items())}
    ones = np.ones(width, np.float16)
    layer |= {"input_layernorm.weight": ones, "post_attention_layernorm.weight": ones}
    found = {f"model.layers.{i}.{key}": array for i in range(config.num_hidden_layers) for key, array in layer.items()}
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
    seen = observe(network, [call], lambda: None)
    return {
        key: {name: scale_of(found, dtypes.get(name), "mse") for name in ("int8", "float8_e4m3fn")}
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


def vit(flat: bool, config: ViTConfig | None = None) -> VisionTransformer:
    return FlatViT(config or ViTConfig()) if flat else models.vit_b_16(config)
