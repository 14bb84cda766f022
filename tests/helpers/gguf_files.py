"""GGUF files of small decoders, written by the package gguf as llama.cpp's conversion writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from trtnet import models

SMALL = {"vocab_size": 99, "max_position_embeddings": 64}
BYTES = [chr(n) for n in range(33, 33 + 90)]
"""Tokens of one character; those after them are special."""
SPECIAL = ["<s>", "</s>", "<user>", "<bot>"]
TEMPLATE = "{% for m in messages %}{{ '<user>' if m.role == 'user' else '<bot>' }}{{ m.content }}{% endfor %}<bot>"
PROMPT = [5, 17, 3, 40]
END = len(BYTES) + 1
"""The token that ends a text."""


def gguf_names(key: str, family: str) -> str:
    """llama.cpp's name of a weight, by its own table."""
    import gguf

    (kind,) = (kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == family)
    names = gguf.get_tensor_name_map(kind, 8)
    found = names.get_name(key, try_suffixes=(".weight", ".bias"))
    assert found is not None, key
    return found


def permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """The rows of a projection as llama.cpp's conversion of Llama writes them: in interleaved pairs."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _add_gemma(writer: Any, config: Any) -> None:
    """What the conversion of Gemma 2 and 3 says."""
    writer.add_sliding_window(config.sliding_window)
    if config.attn_logit_softcapping is not None:
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
    if config.final_logit_softcapping is not None:
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


def _add_phi3(writer: Any, config: Any, rope: Any) -> None:
    """What the conversion of Phi-3 says, and its factors of LongRoPE."""
    import gguf

    width = config.hidden_size // config.num_attention_heads
    writer.add_rope_dimension_count(int(width * rope["partial_rotary_factor"]))
    writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
    if config.sliding_window is not None:
        writer.add_sliding_window(config.sliding_window)
    if rope["rope_type"] == "longrope":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
        writer.add_rope_scaling_attn_factors(models.phi3(config.to_dict()).config.rope_scale)
        for length in ("long", "short"):
            writer.add_tensor(f"rope_factors_{length}.weight", np.array(rope[f"{length}_factor"], np.float32))


def write_gguf(path: Path, original: Any, family: str, kind: str = "F32", tokens: bool = True, **more: Any) -> Path:
    """more: further fields, or other values of those that are written. tokens: the file has a tokenizer."""
    import gguf

    config = original.config
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    writer = gguf.GGUFWriter(path, family)
    writer.add_block_count(more.pop(f"{family}__block_count", config.num_hidden_layers))
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_key_length(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    if family in ("gemma2", "gemma3"):
        _add_gemma(writer, config)
    if family == "phi3":
        _add_phi3(writer, config, rope)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    if tokens:
        writer.add_token_list([*BYTES, *SPECIAL, *(f"<{n}>" for n in range(99 - len(BYTES) - len(SPECIAL)))])
    writer.add_token_types([1] * len(BYTES) + [3] * (99 - len(BYTES)))
    writer.add_token_merges([])
    writer.add_bos_token_id(len(BYTES))
    writer.add_eos_token_id(len(BYTES) + 1)
    writer.add_chat_template(TEMPLATE)
    for key, value in more.items():
        writers = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        writers[type(value)](key.replace("__", "."), value)
    for key, weight in original.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array, heads = weight.numpy(), config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
        if family == "llama" and ("q_proj" in key or "k_proj" in key):
            array = permuted(array, heads)
        if family.startswith("gemma") and key.endswith("norm.weight"):
            array = array + 1
        type_ = gguf.GGMLQuantizationType[kind if array.ndim == 2 else "F32"]
        data = array if type_.name == "F32" else gguf.quants.quantize(array, type_)
        writer.add_tensor(gguf_names(key, family), data, raw_dtype=type_)
    if rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", np.array(models.llama(config.to_dict()).config.rope_factors, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
