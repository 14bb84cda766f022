"""Llama and its relatives (Touvron et al., 2023): rotary positions, grouped queries, RMS norm, SwiGLU.

Weight names are those of transformers' LlamaForCausalLM; Mistral, Qwen2, Qwen3 and SmolLM2 are the same layers with
other settings, which their config.json says.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.published import LLAMA, Source

Cache = tuple[trtnet.Tensor, trtnet.Tensor]
Caches = dict[str, trtnet.Tensor]


@dataclass(frozen=True)
class LlamaConfig:
    """The fields of the original's config.json; the defaults are SmolLM2-135M's.

    capacity: tokens that a cache holds. head_dim: hidden_size / num_attention_heads if None. attention_bias: of
    queries, keys and values; output_bias: of the projection after the attention. qk_norm: queries and keys are
    normalized, as in Qwen3. rope_factors: divisors of the frequencies, one number for all or one each; none by
    default. rope_interleaved: pairs are (2i, 2i + 1), as GGUF files of Llama have them. sliding_window: tokens that a
    query attends to, itself with them, in the layers whose layer_types say so, or in all.
    """

    vocab_size: int = 49152
    hidden_size: int = 576
    intermediate_size: int = 1536
    num_hidden_layers: int = 30
    num_attention_heads: int = 9
    num_key_value_heads: int = 3
    rms_norm_eps: float = 1e-5
    rope_theta: float = 100000.0
    attention_bias: bool = False
    tie_word_embeddings: bool = True
    capacity: int = 1024
    head_dim: int | None = None
    output_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    rope_factors: tuple[float, ...] = ()
    rope_interleaved: bool = False
    sliding_window: int | None = None
    layer_types: tuple[Literal["full_attention", "sliding_attention"], ...] = ()

    @property
    def head_width(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def rotary_width(self) -> int:
        """Elements of a head that are rotated."""
        return self.head_width

    @cached_property
    def rotary_tables(self) -> tuple[np.ndarray, np.ndarray]:
        return self.rotary(self.rope_theta, self.rope_factors)

    def rotary(self, theta: float, factors: tuple[float, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
        """cos and sin of position * theta^(-2i / dim) / factor, each [capacity, dim / 2]."""
        frequencies = theta ** (-np.arange(0, self.rotary_width, 2) / self.rotary_width)
        angles = np.outer(np.arange(self.capacity), frequencies / np.array(factors or 1.0))
        return np.cos(angles), np.sin(angles)

    def is_sliding(self, layer: int) -> bool:
        """Whether the queries of a layer attend to the window alone."""
        return self.sliding_window is not None and self.layer_types[layer : layer + 1] != ("full_attention",)


class Attention(nn.Module):
    """Grouped-query attention with rotary positions over the cache."""

    def __init__(self, config: LlamaConfig) -> None:
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.tables, self.interleaved = config.rotary_tables, config.rope_interleaved
        width, bias = config.head_width, config.attention_bias
        self.q_proj = nn.Linear(config.hidden_size, self.heads * width, bias)
        self.k_proj = nn.Linear(config.hidden_size, self.key_heads * width, bias)
        self.v_proj = nn.Linear(config.hidden_size, self.key_heads * width, bias)
        self.o_proj = nn.Linear(self.heads * width, config.hidden_size, config.output_bias)
        self.q_norm = nn.RMSNorm(width, config.rms_norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(width, config.rms_norm_eps) if config.qk_norm else nn.Identity()

    def rotated(self, x: trtnet.Tensor, positions: trtnet.Tensor) -> trtnet.Tensor:
        return ops.rotary_embedding(x, *self.tables, positions, self.interleaved)

    def forward(
        self,
        x: trtnet.Tensor,
        positions: trtnet.Tensor,
        mask: trtnet.Tensor,
        cache: Cache,
        write_indices: trtnet.Tensor,
    ) -> tuple[trtnet.Tensor, Cache]:
        query, key, value = self.projected(x)
        keys = ops.kv_cache_update(cache[0], self.rotated(key, positions), write_indices)
        values = ops.kv_cache_update(cache[1], value, write_indices)
        y = self.attend(self.rotated(query, positions), keys, values, mask)
        return self.o_proj(nn.join_heads(y)), (keys, values)

    def projected(self, x: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor, trtnet.Tensor]:
        """Queries, keys and values, each [batch, heads, length, head_dim]."""
        query = self.q_norm(nn.split_heads(self.q_proj(x), self.heads))
        key = self.k_norm(nn.split_heads(self.k_proj(x), self.key_heads))
        return query, key, nn.split_heads(self.v_proj(x), self.key_heads)

    def attend(
        self, query: trtnet.Tensor, keys: trtnet.Tensor, values: trtnet.Tensor, mask: trtnet.Tensor
    ) -> trtnet.Tensor:
        return ops.scaled_dot_product_attention(query, keys, values, mask)


class MLP(nn.Module):
    """SwiGLU (Shazeer, 2020)."""

    def __init__(self, config: LlamaConfig) -> None:
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, config.mlp_bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, config.mlp_bias)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, config.mlp_bias)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.down_proj(ops.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    """Attention and perceptron, each after a norm and beside a shortcut."""

    def __init__(self, config: LlamaConfig) -> None:
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

    def __init__(self, config: LlamaConfig) -> None:
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)


class Llama(nn.Module):
    """A step over the next tokens: a whole prompt (prefill), or one token (decode).

    input_ids: [batch, length] int64. write_indices: [batch] int32, how many tokens each cache holds. key_i, value_i:
    [batch, key heads, capacity, head_dim], the caches. Results: logits [batch, length, vocab_size], and new_key_i,
    new_value_i, which share the memory of key_i and value_i, and are carried from call to call as states.
    """

    def __init__(self, config: LlamaConfig) -> None:
        shape = "batch", config.num_key_value_heads, config.capacity, config.head_width
        sides = [(f"key_{i}", f"value_{i}") for i in range(config.num_hidden_layers)]
        self.inputs = {
            "input_ids": trtnet.Input(("batch", "length"), "int64"),
            "write_indices": trtnet.Input(("batch",), "int32"),
            **{name: trtnet.State(shape, output=f"new_{name}") for pair in sides for name in pair},
        }
        self.config = config
        self.model = self.decoder(config)
        self.lm_head = self.head(config)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def decoder(self, config: Any) -> Decoder:
        return Decoder(config)

    def head(self, config: Any) -> nn.Linear:
        return nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def hidden_states(
        self, input_ids: trtnet.Tensor, write_indices: trtnet.Tensor, *caches: trtnet.Tensor
    ) -> tuple[trtnet.Tensor, Caches]:
        """What the head is given, [batch, length, hidden_size], and the caches, by the names of the results."""
        positions = write_indices.to("int64").unsqueeze(1) + ops.arange(input_ids.shape[1])
        masks = self._masks(positions)
        x = self.model.embed_tokens(input_ids)
        updated: Caches = {}
        for i, layer in enumerate(self.model.layers):
            mask = masks[self.config.is_sliding(i)]
            x, (keys, values) = layer(x, positions, mask, (caches[2 * i], caches[2 * i + 1]), write_indices)
            updated |= {f"new_key_{i}": keys, f"new_value_{i}": values}
        return self.model.norm(x), updated

    def _masks(self, positions: trtnet.Tensor) -> dict[bool, trtnet.Tensor]:
        """Where queries attend, [batch, 1, length, capacity]: to all before them, and within the window."""
        held, own = ops.arange(self.config.capacity), positions[:, None, :, None]
        full = held <= own
        window = self.config.sliding_window
        return {False: full} if window is None else {False: full, True: full & (held > own - window)}

    def forward(
        self, input_ids: trtnet.Tensor, write_indices: trtnet.Tensor, *caches: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        x, updated = self.hidden_states(input_ids, write_indices, *caches)
        return {"logits": self.lm_head(x), **updated}


def llama(config: LlamaConfig | Source | None = None, **fields: Any) -> Llama:
    """SmolLM2-135M, with a cache of 1,024 tokens; any Llama, Mistral, Qwen2 or Qwen3 by its config.json."""
    return Llama(LLAMA.read(config, LlamaConfig(), fields))
