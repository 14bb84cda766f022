"""GPT-2 (Radford et al., "Language models are unsupervised multitask learners", 2019), with transformers' names."""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import GPT2 as PUBLISHED, Source


@dataclass(frozen=True)
class GPT2Config:
    """The fields of the original's config.json; the defaults are the 124-million-parameter model's.

    n_inner: width of the perceptrons, None for 4 * n_embd.
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    layer_norm_epsilon: float = 1e-5


class Attention(nn.Module):
    """Every token looks at those before it and itself."""

    def __init__(self, config: GPT2Config) -> None:
        self.num_heads = config.n_head
        self.c_attn = nn.TransposedLinear(config.n_embd, 3 * config.n_embd)
        self.c_proj = nn.TransposedLinear(config.n_embd, config.n_embd)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        query, key, value = (nn.split_heads(part, self.num_heads) for part in self.c_attn(x).chunk(3, -1))
        return self.c_proj(nn.join_heads(ops.scaled_dot_product_attention(query, key, value, is_causal=True)))


class MLP(nn.Module):
    """Two linear layers with GELU in its tanh form between them."""

    def __init__(self, config: GPT2Config) -> None:
        width = config.n_inner or 4 * config.n_embd
        self.c_fc = nn.TransposedLinear(config.n_embd, width)
        self.c_proj = nn.TransposedLinear(width, config.n_embd)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.c_proj(ops.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """Attention and perceptron, each after a norm and beside a shortcut."""

    def __init__(self, config: GPT2Config) -> None:
        self.ln_1 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.mlp = MLP(config)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """Tokens to their last hidden states."""

    def __init__(self, config: GPT2Config) -> None:
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.h = nn.Sequential(*(Block(config) for _ in range(config.n_layer)))
        self.ln_f = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)

    def forward(self, input_ids: trtnet.Tensor) -> trtnet.Tensor:
        x = self.wte(input_ids) + self.wpe(ops.arange(input_ids.shape[1]))
        return self.ln_f(self.h(x))


class GPT2(nn.Module):
    """input_ids [batch, length] int64 -> logits [batch, length, vocab_size]; the head is the word embedding."""

    inputs = {"input_ids": trtnet.Input(("batch", "length"), "int64")}

    def __init__(self, config: GPT2Config) -> None:
        self.transformer = Transformer(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, input_ids: trtnet.Tensor) -> trtnet.Tensor:
        return self.lm_head(self.transformer(input_ids))


def gpt2(config: GPT2Config | Source | None = None, **fields: Any) -> GPT2:
    """GPT-2 with 124 million parameters."""
    return GPT2(PUBLISHED.read(config, GPT2Config(), fields))
