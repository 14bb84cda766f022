"""Gemma by what its GGUF file says, and what llama.cpp takes where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trtnet.checkpoint import Checkpoint
from trtnet.checkpoint.rules import RuleSet
from trtnet.checkpoint.rules.folds import Add
from trtnet.checkpoint.rules.pattern import pattern
from trtnet.support.errors import ModelError
from trtnet.tools.generation.gguf_fields import llama_fields
from trtnet.weights import rules

_PERIODS = {"gemma": 1, "gemma2": 2, "gemma3": 6}
"""Of so many layers the last one attends to all tokens."""
_SCALED_BY_HIDDEN = {("gemma2", 46), ("gemma3", 62)}
"""Families and numbers of layers, of 27B, whose scores are divided by the square root of the hidden size a head."""
_UNSAID: dict[str, dict[str, Any]] = {
    "gemma": {},
    "gemma2": {"attention.sliding_window": 4096, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
    "gemma3": {"rope.freq_base_swa": 10000.0},
}


def gemma_fields(metadata: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """The fields of :class:`trtnet.models.gemma.GemmaConfig`, without its capacity; as llama_fields."""
    fields = llama_fields(metadata, checkpoint)
    family, layers = str(metadata["general.architecture"]), fields["num_hidden_layers"]

    def of(key: str) -> Any:
        return metadata.get(f"{family}.{key}", _UNSAID[family].get(key))

    said, period = of("attention.sliding_window_pattern"), _PERIODS[family]
    if said not in (None, period):
        raise ModelError(
            f"{checkpoint.name} says that attention.sliding_window_pattern is {said}; the model computes {period}"
        )
    places = range(1, layers + 1) if period > 1 else ()
    share = fields["hidden_size"] // fields["num_attention_heads"]
    scalar = share if (family, layers) in _SCALED_BY_HIDDEN else fields["head_dim"] or share
    return fields | {
        "norms_after": family != "gemma",
        "query_pre_attn_scalar": float(scalar),
        "sliding_window": of("attention.sliding_window"),
        "layer_types": ["sliding_attention" if i % period else "full_attention" for i in places],
        "rope_local_theta": of("rope.freq_base_swa"),
        "attn_logit_softcapping": of("attn_logit_softcapping"),
        "final_logit_softcapping": of("final_logit_softcapping"),
    }


def gemma_rules(family: str) -> RuleSet:
    """Those of a value of ``general.architecture``: the first Gemma has the names of Llama."""
    if family != "gemma":
        return rules("gguf_gemma")
    llama = rules("gguf_llama")
    return replace(llama, name="gguf_llama, norms less one", rules=(Add(pattern(r"norm\.weight$"), -1.0), *llama.rules))
