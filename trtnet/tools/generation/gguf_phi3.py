"""Phi-3 by what its GGUF file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtnet.checkpoint import Checkpoint
from trtnet.tools.generation.gguf_fields import llama_fields


def phi3_fields(metadata: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """The fields of :class:`trtnet.models.phi3.Phi3Config`, without its capacity; as llama_fields."""
    fields = llama_fields(metadata, checkpoint)

    def of(key: str, default: Any) -> Any:
        return metadata.get(f"phi3.{key}", default)

    def factors(length: str) -> list[float]:
        key = f"rope_factors_{length}.weight"
        return checkpoint[key].tolist() if key in checkpoint else []

    width = fields["head_dim"] or fields["hidden_size"] // fields["num_attention_heads"]
    return fields | {
        "partial_rotary_factor": of("rope.dimension_count", width) / width,
        "sliding_window": of("attention.sliding_window", None),
        "original_max_position_embeddings": of("rope.scaling.original_context_length", of("context_length", 4096)),
        "rope_factors": factors("short"),
        "long_factors": factors("long"),
        "rope_scale": of("rope.scaling.attn_factor", 1.0),
    }
