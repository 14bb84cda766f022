"""The configuration of a decoder by what its GGUF file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtnet.checkpoint import Checkpoint
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import counted

GEMMAS = ("gemma", "gemma2", "gemma3")
FAMILIES = ("llama", "qwen2", "qwen3", "phi3", *GEMMAS)
"""Values of ``general.architecture``; files of Mistral and SmolLM2 say llama."""


def llama_fields(metadata: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """The fields of :class:`trtnet.models.llama.LlamaConfig`, without its capacity.

    metadata: what the file says. checkpoint: its tensors, whose names say which biases and norms there are.
    Raises ModelError for another family, mixtures of experts, positions scaled otherwise than by one number, heads that
    are rotated in part, and attention to what comes after.
    """
    family = str(metadata.get("general.architecture"))
    if family not in FAMILIES or metadata.get(f"{family}.expert_count"):
        what = "a mixture of experts" if family in FAMILIES else f"of the family {family}"
        raise ModelError(
            f"{checkpoint.name} is {what}; a decoder here is one of {', '.join(FAMILIES)}, without experts"
        )

    def of(key: str, default: Any = None) -> Any:
        found = metadata.get(f"{family}.{key}", default)
        if found is None:
            raise ModelError(f"{checkpoint.name} does not say {family}.{key}")
        return found

    heads, hidden = of("attention.head_count"), of("embedding_length")
    width = of("attention.key_length", hidden // heads)
    _check(of, checkpoint, width, partly=family == "phi3")
    return {
        "vocab_size": _vocabulary(checkpoint),
        "hidden_size": hidden,
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": of("attention.head_count_kv", heads),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "rope_theta": float(of("rope.freq_base", 10000.0)),
        "rope_factors": _rope_factors(of, checkpoint, ("longrope",) if family == "phi3" else ()),
        "rope_interleaved": family == "llama",
        "head_dim": None if width == hidden // heads else width,
        "attention_bias": "blk.0.attn_q.bias" in checkpoint,
        "output_bias": "blk.0.attn_output.bias" in checkpoint,
        "mlp_bias": "blk.0.ffn_gate.bias" in checkpoint,
        "qk_norm": "blk.0.attn_q_norm.weight" in checkpoint,
        "tie_word_embeddings": "output.weight" not in checkpoint,
        "sliding_window": None,
        "layer_types": (),
    }


def _check(of: Any, checkpoint: Checkpoint, width: int, partly: bool) -> None:
    """Raises ModelError for a file without some layers, and what the model does not compute.

    width: of a head. partly: heads may be rotated in part.
    """
    layers = {key.split(".")[1] for key in checkpoint if key.startswith("blk.")}
    if of("block_count") != len(layers):
        text = (
            f"{checkpoint.name} says it has {counted(of('block_count'), 'layer')}, and has the weights of {len(layers)}"
        )
        raise ModelError(f"{text}: it is damaged, or a part")
    computed = {"attention.value_length": width, "attention.causal": True}
    computed |= {} if partly else {"rope.dimension_count": width}
    for key, wanted in computed.items():
        if of(key, wanted) != wanted:
            raise ModelError(f"{checkpoint.name} says that {key} is {of(key)}; the model computes {wanted}")


def _rope_factors(of: Any, checkpoint: Checkpoint, others: tuple[str, ...]) -> tuple[float, ...]:
    """Of each frequency, and of all: a factor without a type is of all, as in llama.cpp. others: known types."""
    kind = of("rope.scaling.type", "linear")
    if kind not in ("none", "linear", *others):
        raise ModelError(f"{checkpoint.name} scales rotary positions by {kind!r}, which the model does not compute")
    factor = float(of("rope.scaling.factor", of("rope.scale_linear", 1.0))) if kind == "linear" else 1.0
    if "rope_freqs.weight" in checkpoint:
        return tuple((checkpoint["rope_freqs.weight"] * factor).tolist())
    return () if factor == 1 else (factor,)


def _vocabulary(checkpoint: Checkpoint) -> int:
    if "token_embd.weight" not in checkpoint:
        raise ModelError(f"{checkpoint.name} has no token_embd.weight: it is damaged, or a part")
    return checkpoint.info("token_embd.weight").shape[0]
