"""Ten bugs planted in copies of the zoo's models, each beside its original. A bug is a function that makes both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from helpers import originals

import trtnet
from trtnet import nn, ops
from trtnet.models.bert import Bert, BertConfig, SelfAttention
from trtnet.models.gpt2 import GPT2, Attention, GPT2Config
from trtnet.models.lenet import LeNet, LeNetConfig
from trtnet.models.llama import Attention as RotaryAttention
from trtnet.models.qwen2 import Qwen2, Qwen2Config
from trtnet.models.resnet import resnet18
from trtnet.models.vit import VisionTransformer, ViTConfig


@dataclass(frozen=True)
class Planted:
    """model, weights, inputs: ours, with the bug. original: torch's. module: where the bug is. says: part of why."""

    model: nn.Module
    weights: Any
    original: torch.nn.Module
    inputs: Mapping[str, np.ndarray]
    module: str
    says: str
    specs: Mapping[str, trtnet.Input] | None = None
    original_inputs: Mapping[str, np.ndarray] | None = None
    strict: bool = True
    names: Mapping[str, str] = field(default_factory=dict)

    def network(self, dtype: str = "float32") -> trtnet.DefinedNetwork:
        return trtnet.define(self.model, self.specs, self.weights, dtype=dtype, strict=self.strict)


def randomized(model: torch.nn.Module, scale: float = 0.05) -> torch.nn.Module:
    """Every weight random, biases and norms too, so that each of them matters."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
            parameter.normal_(centre, scale, generator=generator)
    return model.eval()


def transformers() -> Any:
    originals.import_torchvision()
    import transformers as library

    return library


def tokens(*shape: int, below: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, below, shape)


# the models, right
SMALL_BERT = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "vocab_size": 99,
}
SMALL_GPT2 = {"vocab_size": 99, "n_positions": 32, "n_embd": 48, "n_layer": 2, "n_head": 4}
SMALL_QWEN2 = {
    "vocab_size": 99, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip
LENGTH = 7


def right_bert() -> Planted:
    original = randomized(transformers().BertModel(transformers().BertConfig(**SMALL_BERT)))
    mask = np.ones((2, LENGTH), np.int64)
    mask[1, 4:] = 0
    inputs = {
        "input_ids": tokens(2, LENGTH, below=99),
        "attention_mask": mask,
        "token_type_ids": tokens(2, LENGTH, below=2),
    }
    return Planted(Bert(BertConfig(**SMALL_BERT)), original, original, inputs, "", "")


def right_gpt2() -> Planted:
    original = randomized(transformers().GPT2LMHeadModel(transformers().GPT2Config(**SMALL_GPT2)), 0.3)
    return Planted(
        GPT2(GPT2Config(**SMALL_GPT2)), original, original, {"input_ids": tokens(2, LENGTH, below=99)}, "", ""
    )


def right_qwen2() -> Planted:
    rope = {"rope_theta": 1000000.0, "rope_type": "default"}
    config = transformers().Qwen2Config(**SMALL_QWEN2, tie_word_embeddings=True, rope_parameters=rope)
    original = randomized(transformers().Qwen2ForCausalLM(config), 0.3)
    ours = Qwen2(Qwen2Config(**SMALL_QWEN2, capacity=16))
    ids = {"input_ids": tokens(2, LENGTH, below=99)}
    caches = {name: np.zeros((2, *spec.shape[1:]), np.float32) for name, spec in list(ours.inputs.items())[2:]}
    inputs = {**ids, "write_indices": np.zeros(2, np.int32), **caches}
    return Planted(ours, original, original, inputs, "", "", original_inputs=ids)


def right_vit() -> Planted:
    sizes = 32, 8, 2, 3, 48, 96
    original = randomized(originals.import_torchvision().models.VisionTransformer(*sizes, num_classes=7), 0.2)
    image = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    return Planted(VisionTransformer(ViTConfig(*sizes, num_classes=7)), original, original, {"image": image}, "", "")


def right_resnet() -> Planted:
    original = originals.randomize(originals.resnet("resnet18"))
    image = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    specs = {"image": trtnet.Input(("batch", 3, 64, 64))}
    return Planted(resnet18(), original, original, {"image": image}, "", "", specs)


def right_lenet() -> Planted:
    original = originals.randomize(originals.LeNet())
    image = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    return Planted(LeNet(LeNetConfig()), original, original, {"image": image}, "", "")


RIGHT: dict[str, Callable[[], Planted]] = {
    "bert": right_bert,
    "gpt2": right_gpt2,
    "qwen2": right_qwen2,
    "vit": right_vit,
    "resnet18": right_resnet,
    "lenet": right_lenet,
}


# the bugs
def with_bug(right: Planted, module: str, says: str, **changes: Any) -> Planted:
    return Planted(**{**vars(right), "module": module, "says": says, **changes})


def find(model: nn.Module, path: str) -> Any:
    return dict(model.named_modules())[path]


def wrong_eps() -> Planted:
    right, path = right_bert(), "embeddings.LayerNorm"
    find(right.model, path).eps = 1e-5
    return with_bug(right, path, "eps is 1e-05 here, 1e-12 in torch")


def tanh_gelu() -> Planted:
    right, path = right_vit(), "encoder.layers.encoder_layer_1.mlp.1"
    find(right.model, path).approximate = "tanh"
    return with_bug(right, path, "approximate is 'tanh' here, 'none' in torch")


def transposed_weight() -> Planted:
    right, path = right_gpt2(), "transformer.h.1.attn.c_proj"
    weights = dict(right.original.state_dict())
    weights[f"{path}.weight"] = weights[f"{path}.weight"].T.contiguous()
    return with_bug(right, path, "weight is torch's, transposed", weights=weights)


class SwappedAttention(SelfAttention):
    def forward(self, x: Any, mask: Any) -> Any:
        query, key, value = (nn.split_heads(part(x), self.num_heads) for part in (self.query, self.key, self.value))
        return nn.join_heads(ops.scaled_dot_product_attention(key, query, value, mask))


def swapped_q_and_k() -> Planted:
    right = right_bert()
    find(right.model, "encoder.layer.1.attention").self = SwappedAttention(BertConfig(**SMALL_BERT))
    return with_bug(right, "encoder.layer.1.attention.self", "in its own forward")


def wrong_padding() -> Planted:
    right, path = right_resnet(), "layer2.0.conv1"
    find(right.model, path).padding = "same"  # as TensorFlow: at stride 2, one pixel after and none before
    return with_bug(right, path, "padding is 'same' here, 1 in torch")


class UnscaledAttention(Attention):
    def forward(self, x: Any) -> Any:
        query, key, value = (nn.split_heads(part, self.num_heads) for part in self.c_attn(x).chunk(3, -1))
        y = ops.scaled_dot_product_attention(query, key, value, is_causal=True, scale=1.0)
        return self.c_proj(nn.join_heads(y))


def missing_scale() -> Planted:
    right, path = right_gpt2(), "transformer.h.0.attn"
    find(right.model, "transformer.h.0").attn = UnscaledAttention(GPT2Config(**SMALL_GPT2))
    return with_bug(right, path, "before it calls transformer.h.0.attn.c_proj")


class WrongAxis(LeNet):
    def forward(self, image: Any) -> Any:
        x = ops.max_pool2d(ops.relu(self.conv1(image)), 2)
        x = ops.max_pool2d(ops.relu(self.conv2(x)), 2)
        x = ops.relu(self.fc1(x.transpose(2, 3).flatten(1)))
        return self.fc3(ops.relu(self.fc2(x)))


def wrong_axis() -> Planted:
    return with_bug(right_lenet(), "", "before it calls fc1", model=WrongAxis(LeNetConfig()))


def dropped_bias() -> Planted:
    right, path = right_vit(), "encoder.layers.encoder_layer_0.mlp.3"
    find(right.model, path).bias = None
    return with_bug(right, path, "torch has a bias [48], this module has none", strict=False)


class InterleavedAttention(RotaryAttention):
    def forward(self, x: Any, positions: Any, mask: Any, cache: Any, write_indices: Any) -> Any:
        def turn(y: Any) -> Any:
            return ops.rotary_embedding(y, *self.tables, positions, interleaved=True)

        query, key = (
            turn(nn.split_heads(self.q_proj(x), self.heads)),
            turn(nn.split_heads(self.k_proj(x), self.key_heads)),
        )
        value = nn.split_heads(self.v_proj(x), self.key_heads)
        keys = ops.kv_cache_update(cache[0], key, write_indices)
        values = ops.kv_cache_update(cache[1], value, write_indices)
        y = ops.scaled_dot_product_attention(query, keys, values, mask)
        return self.o_proj(nn.join_heads(y)), (keys, values)


def wrong_rotary_layout() -> Planted:
    right, path = right_qwen2(), "model.layers.1.self_attn"
    config = Qwen2Config(**SMALL_QWEN2, capacity=16)
    find(right.model, "model.layers.1").self_attn = InterleavedAttention(config)
    return with_bug(right, path, "before it calls model.layers.1.self_attn.o_proj")


class InvertedMask(Bert):
    def encode(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        mask = (attention_mask == 0)[:, None, None, :]
        return self.encoder(self.embeddings(input_ids, token_type_ids), mask)


def inverted_mask() -> Planted:
    return with_bug(right_bert(), "", "its mask is torch's inverted", model=InvertedMask(BertConfig(**SMALL_BERT)))


BUGS: dict[str, Callable[[], Planted]] = {
    bug.__name__: bug
    for bug in (
        wrong_eps, tanh_gelu, transposed_weight, swapped_q_and_k, wrong_padding, missing_scale, wrong_axis,
        dropped_bias, wrong_rotary_layout, inverted_mask,
    )
}  # fmt: skip
