"""Qwen2 (Yang et al., "Qwen2 technical report", 2024): the layers of Llama with biases of queries, keys and values.

Weight names are those of transformers' Qwen2ForCausalLM.
"""

from dataclasses import dataclass
from typing import Any

from trtnet.models.llama import Llama, LlamaConfig
from trtnet.models.published import LLAMA, Source


@dataclass(frozen=True)
class Qwen2Config(LlamaConfig):
    """The fields of :class:`trtnet.models.llama.LlamaConfig`; the defaults are Qwen2-0.5B's."""

    vocab_size: int = 151936
    hidden_size: int = 896
    intermediate_size: int = 4864
    num_hidden_layers: int = 24
    num_attention_heads: int = 14
    num_key_value_heads: int = 2
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1000000.0
    attention_bias: bool = True


class Qwen2(Llama):
    """A step over the next tokens: see :class:`trtnet.models.llama.Llama`."""


def qwen2(config: Qwen2Config | Source | None = None, **fields: Any) -> Qwen2:
    """Qwen2-0.5B, with a cache of 1,024 tokens."""
    return Qwen2(LLAMA.read(config, Qwen2Config(), fields))
