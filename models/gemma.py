"""Gemma, Gemma 2 and Gemma 3 (Gemma Team, 2024, 2024 and 2025): Llama's layers with other norms and GeGLU.

Weight names are those of transformers' GemmaForCausalLM, Gemma2ForCausalLM and Gemma3ForCausalLM, the text models.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.llama import MLP, Attention, Cache, Decoder, DecoderLayer, Llama, LlamaConfig
from trtnet.models.published import Source
from trtnet.models.published_gemma import GEMMA


@dataclass(frozen=True)
class GemmaConfig(LlamaConfig):
    """The fields of the original's config.json beside Llama's; the defaults are Gemma 3 270M's.

    query_pre_attn_scalar: scores are divided by its square root. rope_local_theta: base of the frequencies in layers
    with a window; that of the others if None. norms_after: also attention's and the perceptron's results are
    normalized, as in Gemma 2 and 3. attn_logit_softcapping, final_logit_softcapping: scores and logits x become
    cap * tanh(x / cap); none if None.
    """

    vocab_size: int = 262144
    hidden_size: int = 640
    intermediate_size: int = 2048
    num_hidden_layers: int = 18
    num_attention_heads: int = 4
    num_key_value_heads: int = 1
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1000000.0
    head_dim: int | None = 256
    qk_norm: bool = True
    sliding_window: int | None = 512
    layer_types: tuple[Literal["full_attention", "sliding_attention"], ...] = (
        *5 * ("sliding_attention",),
        "full_attention",
    ) * 3
    query_pre_attn_scalar: float = 256.0
    rope_local_theta: float | None = 10000.0
    norms_after: bool = True
    attn_logit_softcapping: float | None = None
    final_logit_softcapping: float | None = None

    @cached_property
    def local_rotary_tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Those of layers with a window, whose positions are not scaled."""
        return self.rotary_tables if self.rope_local_theta is None else self.rotary(self.rope_local_theta)


class Norm(nn.RMSNorm):
    """RMS norm whose weight is kept less one, in float32 to the end."""

    weight: nn.Parameter

    def __init__(self, width: int, config: GemmaConfig) -> None:
        super().__init__(width, config.rms_norm_eps)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.rms_norm(x.float(), self.normalized_shape, self.weight.float() + 1, self.eps).to(x.dtype)


class Embedding(nn.Embedding):
    """Embeddings times the square root of their width."""

    def forward(self, indices: trtnet.Tensor) -> trtnet.Tensor:
        return super().forward(indices) * self.embedding_dim**0.5


class GemmaAttention(Attention):
    """Llama's, with scores of another scale, and capped in Gemma 2."""

    def __init__(self, config: GemmaConfig, layer: int) -> None:
        super().__init__(config)
        self.tables = config.local_rotary_tables if config.is_sliding(layer) else config.rotary_tables
        self.scale, self.cap = config.query_pre_attn_scalar**-0.5, config.attn_logit_softcapping
        if config.qk_norm:
            self.q_norm = Norm(config.head_width, config)
            self.k_norm = Norm(config.head_width, config)

    def attend(
        self, query: trtnet.Tensor, keys: trtnet.Tensor, values: trtnet.Tensor, mask: trtnet.Tensor
    ) -> trtnet.Tensor:
        if self.cap is None:
            return ops.scaled_dot_product_attention(query, keys, values, mask, scale=self.scale)
        grouped = query.unflatten(1, (self.key_heads, self.heads // self.key_heads))  # queries that share a key head
        scores = capped(grouped @ keys.unsqueeze(2).mT * self.scale, self.cap)
        weights = ops.softmax(ops.where(mask.unsqueeze(2), scores, -np.inf), -1)
        return (weights @ values.unsqueeze(2)).flatten(1, 2)


class GemmaMLP(MLP):
    """GeGLU (Shazeer, 2020)."""

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.down_proj(ops.gelu(self.gate_proj(x), "tanh") * self.up_proj(x))


class GemmaLayer(DecoderLayer):
    """Gemma's layer: Llama's, of its own parts."""

    def __init__(self, config: GemmaConfig, layer: int) -> None:
        self.self_attn = GemmaAttention(config, layer)
        self.mlp = GemmaMLP(config)
        self.input_layernorm = Norm(config.hidden_size, config)
        self.post_attention_layernorm = Norm(config.hidden_size, config)


class SandwichLayer(GemmaLayer):
    """Gemma 2's and 3's layer: a norm before and after attention and perceptron."""

    def __init__(self, config: GemmaConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.pre_feedforward_layernorm = Norm(config.hidden_size, config)
        self.post_feedforward_layernorm = Norm(config.hidden_size, config)

    def forward(
        self,
        x: trtnet.Tensor,
        positions: trtnet.Tensor,
        mask: trtnet.Tensor,
        cache: Cache,
        write_indices: trtnet.Tensor,
    ) -> tuple[trtnet.Tensor, Cache]:
        y, cache = self.self_attn(self.input_layernorm(x), positions, mask, cache, write_indices)
        x = x + self.post_attention_layernorm(y)
        return x + self.post_feedforward_layernorm(self.mlp(self.pre_feedforward_layernorm(x))), cache


class GemmaDecoder(Decoder):
    """Tokens to their last hidden states."""

    def __init__(self, config: GemmaConfig) -> None:
        layer = SandwichLayer if config.norms_after else GemmaLayer
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = Norm(config.hidden_size, config)


class Head(nn.Linear):
    """Logits, capped in Gemma 2."""

    def __init__(self, config: GemmaConfig) -> None:
        super().__init__(config.hidden_size, config.vocab_size, bias=False)
        self.cap = config.final_logit_softcapping

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        logits = super().forward(x)
        return logits if self.cap is None else capped(logits, self.cap)


class Gemma(Llama):
    """A step over the next tokens: see :class:`trtnet.models.llama.Llama`."""

    def decoder(self, config: GemmaConfig) -> GemmaDecoder:
        return GemmaDecoder(config)

    def head(self, config: GemmaConfig) -> Head:
        return Head(config)


def capped(x: trtnet.Tensor, cap: float) -> trtnet.Tensor:
    """Values near those of x where these are small, between -cap and cap."""
    return cap * ops.tanh(x / cap)


def gemma(config: GemmaConfig | Source | None = None, **fields: Any) -> Gemma:
    """Gemma 3 270M, with a cache of 1,024 tokens; any Gemma, Gemma 2 or text model of Gemma 3 by its config.json."""
    return Gemma(GEMMA.read(config, GemmaConfig(), fields))
