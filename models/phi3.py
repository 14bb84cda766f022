"""Phi-3, Phi-3.5 and Phi-4 (Abdin et al., 2024): Llama's layers with fused products and LongRoPE (Ding et al., 2024).

Weight names are those of transformers' Phi3ForCausalLM.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.llama import Attention, Decoder, DecoderLayer, Llama, LlamaConfig
from trtnet.models.published import Source
from trtnet.models.published_phi3 import PHI3


@dataclass(frozen=True)
class Phi3Config(LlamaConfig):
    """The fields of the original's config.json beside Llama's; the defaults are Phi-3-mini-4k's.

    partial_rotary_factor: the share of each head that is rotated. long_factors: divisors of the frequencies in place of
    rope_factors where the cache holds more than original_max_position_embeddings tokens. rope_scale: what cosines and
    sines are multiplied by.
    """

    vocab_size: int = 32064
    hidden_size: int = 3072
    intermediate_size: int = 8192
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 32
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = False
    sliding_window: int | None = 2047
    partial_rotary_factor: float = 1.0
    original_max_position_embeddings: int = 4096
    long_factors: tuple[float, ...] = ()
    rope_scale: float = 1.0

    @property
    def rotary_width(self) -> int:
        return int(self.head_width * self.partial_rotary_factor)

    def rotary(self, theta: float, factors: tuple[float, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
        is_long = self.long_factors and self.capacity > self.original_max_position_embeddings
        cos, sin = super().rotary(theta, self.long_factors if is_long else factors)
        return self.rope_scale * cos, self.rope_scale * sin


class Phi3Attention(Attention):
    """Llama's, with one product for queries, keys and values, of which the first elements are rotated."""

    def __init__(self, config: Phi3Config) -> None:
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.tables, self.interleaved = config.rotary_tables, config.rope_interleaved
        self.rotary_width, width = config.rotary_width, config.head_width
        self.parts = [self.heads * width, self.key_heads * width, self.key_heads * width]
        self.qkv_proj = nn.Linear(config.hidden_size, sum(self.parts), bias=False)
        self.o_proj = nn.Linear(self.heads * width, config.hidden_size, bias=False)

    def projected(self, x: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor, trtnet.Tensor]:
        query, key, value = ops.split(self.qkv_proj(x), self.parts, -1)
        key, value = (nn.split_heads(each, self.key_heads) for each in (key, value))
        return nn.split_heads(query, self.heads), key, value

    def rotated(self, x: trtnet.Tensor, positions: trtnet.Tensor) -> trtnet.Tensor:
        first, rest = x[..., : self.rotary_width], x[..., self.rotary_width :]
        y = super().rotated(first, positions)
        return ops.cat([y, rest], -1) if rest.shape[-1] else y


class Phi3MLP(nn.Module):
    """SwiGLU with one product for the gate and what it is for."""

    def __init__(self, config: Phi3Config) -> None:
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        gate, up = ops.chunk(self.gate_up_proj(x), 2, -1)
        return self.down_proj(ops.silu(gate) * up)


class Phi3Layer(DecoderLayer):
    """Llama's layer, of its own parts."""

    def __init__(self, config: Phi3Config) -> None:
        self.self_attn = Phi3Attention(config)
        self.mlp = Phi3MLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)


class Phi3Decoder(Decoder):
    """Tokens to their last hidden states."""

    def __init__(self, config: Phi3Config) -> None:
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Phi3Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)


class Phi3(Llama):
    """A step over the next tokens: see :class:`trtnet.models.llama.Llama`."""

    def decoder(self, config: Phi3Config) -> Phi3Decoder:
        return Phi3Decoder(config)


def phi3(config: Phi3Config | Source | None = None, **fields: Any) -> Phi3:
    """Phi-3-mini-4k, with a cache of 1,024 tokens; any Phi-3, Phi-3.5 or Phi-4 of text by its config.json."""
    return Phi3(PHI3.read(config, Phi3Config(), fields))
