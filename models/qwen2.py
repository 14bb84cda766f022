"""Qwen2 (Yang et al., "Qwen2 technical report", 2024): rotary positions, grouped queries, RMS norm, SwiGLU.

Weight names are those of transformers' Qwen2ForCausalLM.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.published import QWEN2, Source

Cache = tuple[trtnet.Tensor, trtnet.Tensor]


@dataclass(frozen=True)
class Qwen2Config:
    """The fields of the original's config.json; the defaults are Qwen2-0.5B's. capacity: tokens a cache holds.

    Without attention_bias and tie_word_embeddings, the same layers are Llama's and Mistral's.
    """

    vocab_size: int = 151936
    hidden_size: int = 896
    intermediate_size: int = 4864
    num_hidden_layers: int = 24
    num_attention_heads: int = 14
    num_key_value_heads: int = 2
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1000000.0
    attention_bias: bool = True
    tie_word_embeddings: bool = True
    capacity: int = 1024

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    def rotary_tables(self) -> tuple[np.ndarray, np.ndarray]:
        """cos and sin of position * theta^(-2i / dim), each [capacity, head_dim / 2]."""
        frequencies = self.rope_theta ** (-np.arange(0, self.head_dim, 2) / self.head_dim)
        angles = np.outer(np.arange(self.capacity), frequencies)
        return np.cos(angles), np.sin(angles)


class Attention(nn.Module):
    """Grouped-query attention with rotary positions, over the cache if there is one."""

    def __init__(self, config: Qwen2Config) -> None:
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.tables = config.rotary_tables()
        width = config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, self.heads * width, config.attention_bias)
        self.k_proj = nn.Linear(config.hidden_size, self.key_heads * width, config.attention_bias)
        self.v_proj = nn.Linear(config.hidden_size, self.key_heads * width, config.attention_bias)
        self.o_proj = nn.Linear(self.heads * width, config.hidden_size, bias=False)

    def forward(
        self,
        x: trtnet.Tensor,
        positions: trtnet.Tensor,
        mask: trtnet.Tensor,
        cache: Cache,
        write_indices: trtnet.Tensor,
    ) -> tuple[trtnet.Tensor, Cache]:
        query = ops.rotary_embedding(nn.split_heads(self.q_proj(x), self.heads), *self.tables, positions)
        key = ops.rotary_embedding(nn.split_heads(self.k_proj(x), self.key_heads), *self.tables, positions)
        value = nn.split_heads(self.v_proj(x), self.key_heads)
        keys = ops.kv_cache_update(cache[0], key, write_indices)
        values = ops.kv_cache_update(cache[1], value, write_indices)
        y = ops.scaled_dot_product_attention(query, keys, values, mask)
        return self.o_proj(nn.join_heads(y)), (keys, values)


class MLP(nn.Module):
    """SwiGLU (Shazeer, 2020)."""

    def __init__(self, config: Qwen2Config) -> None:
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.down_proj(ops.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    """Attention and perceptron, each after a norm and beside a shortcut."""

    def __init__(self, config: Qwen2Config) -> None:
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        x: trtnet.Tensor,
        positions: trtnet.Tensor,
        mask: trtnet.Tensor,
        cache: Cache,
        write_indices: trtnet.Tensor,
    ) -> tuple[trtnet.Tensor, Cache]:
        y, cache = self.self_attn(self.input_layernorm(x), positions, mask, cache, write_indices)
        x = x + y
        return x + self.mlp(self.post_attention_layernorm(x)), cache


class Decoder(nn.Module):
    """Tokens to their last hidden states."""

    def __init__(self, config: Qwen2Config) -> None:
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)


class Qwen2(nn.Module):
    """A step over the next tokens: a whole prompt (prefill), or one token (decode).

    input_ids: [batch, length] int64. write_indices: [batch] int32, how many tokens each cache holds. key_i, value_i:
    [batch, key heads, capacity, head_dim], the caches. Results: logits [batch, length, vocab_size], and new_key_i,
    new_value_i, which share the memory of key_i and value_i.
    """

    def __init__(self, config: Qwen2Config) -> None:
        cache = trtnet.Input(("batch", config.num_key_value_heads, config.capacity, config.head_dim))
        sides = [(f"key_{i}", f"value_{i}") for i in range(config.num_hidden_layers)]
        self.inputs = {
            "input_ids": trtnet.Input(("batch", "length"), "int64"),
            "write_indices": trtnet.Input(("batch",), "int32"),
            **{name: cache for pair in sides for name in pair},
        }
        self.capacity = config.capacity
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def forward(
        self, input_ids: trtnet.Tensor, write_indices: trtnet.Tensor, *caches: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        positions = write_indices.to("int64").unsqueeze(1) + ops.arange(input_ids.shape[1])
        mask = ops.arange(self.capacity) <= positions[:, None, :, None]
        x = self.model.embed_tokens(input_ids)
        outputs: dict[str, trtnet.Tensor] = {}
        for i, layer in enumerate(self.model.layers):
            cache = caches[2 * i], caches[2 * i + 1]
            x, (keys, values) = layer(x, positions, mask, cache, write_indices)
            outputs |= {f"new_key_{i}": keys, f"new_value_{i}": values}
        return {"logits": self.lm_head(self.model.norm(x)), **outputs}


def qwen2(config: Qwen2Config | Source | None = None, **fields: Any) -> Qwen2:
    """Qwen2-0.5B, with a cache of 1,024 tokens."""
    return Qwen2(QWEN2.read(config, Qwen2Config(), fields))
