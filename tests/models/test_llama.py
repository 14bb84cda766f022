"""Llama and its relatives equal transformers' by their published configurations, and build ahead of time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.comparing import relative_l2
from helpers.decoders import published

import trtnet
from trtnet import models
from trtnet.tools.generation.published import decoder_of

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
GEMMA = {"head_dim": 32, "num_hidden_layers": 3, "sliding_window": 4, "layer_types": [
    "sliding_attention", "full_attention", "sliding_attention",
]}  # fmt: skip
PHI3 = {
    "pad_token_id": 0, "max_position_embeddings": 64, "original_max_position_embeddings": 16, "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 100.0, "short_factor": [1.0, 1.1, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0],
        "long_factor": [1.0, 2.0, 4.0, 8.0, 9.0, 10.0, 11.0, 12.0],
    },
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "llama with biases": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "llama 3.1": ("Llama", {"rope_parameters": LLAMA3, "tie_word_embeddings": True}),
    "positions divided": ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}}),
    "wide heads": ("Llama", {"head_dim": 32}),
    "mistral": ("Mistral", {"sliding_window": 4}),
    "qwen2": ("Qwen2", {}),
    "qwen2 with a window in its last layer": (
        "Qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3", {"head_dim": 32, "tie_word_embeddings": True}),
    "phi3": ("Phi3", {"pad_token_id": 0}),
    "phi3 with a window and half of each head rotated": (
        "Phi3",
        {"pad_token_id": 0, "sliding_window": 4, "rope_parameters": {
            "partial_rotary_factor": 0.5, "rope_type": "default"},
        },
    ),
    "phi3 within the positions it was trained with": ("Phi3", PHI3),
    "phi3 beyond the positions it was trained with": ("Phi3", {**PHI3, "original_max_position_embeddings": 8}),
    "gemma": ("Gemma", {"head_dim": 32}),
    "gemma 2": ("Gemma2", {**GEMMA, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}),
    "gemma 3": ("Gemma3Text", GEMMA),
    "gemma 3 with scaled positions": (
        "Gemma3Text",
        {**GEMMA, "query_pre_attn_scalar": 20, "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e3},
        }},
    ),
}  # fmt: skip


def test_all_layers_have_the_tables_of_their_configuration() -> None:
    original = published("Llama")
    model = models.llama(original.config.to_dict(), capacity=8)
    first, *others = (each.tables for each in model.modules() if hasattr(each, "tables"))
    assert others and all(each is first for each in others)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fixed", [False, True], ids=["dynamic", "static"])
def test_prefill_and_decode_give_the_originals_logits(family: str, fixed: bool) -> None:
    kind, settings = FAMILIES[family]
    original = published(kind, **settings)
    streams = trtnet.Streams(defined(original, {"batch": 2} if fixed else {}).reference(), 2)
    ids = torch.randint(0, 99, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        full = original(ids).logits
    for first, end in ((0, 7), *((place, place + 1) for place in range(7, 12))):
        logits = streams(input_ids=ids[:, first:end].numpy(), write_indices=np.full(2, first, np.int32))
        assert relative_l2(logits, full[:, first:end]) <= 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("family", ["llama 3.1", "mistral", "qwen3", "phi3", "gemma 2", "gemma 3"])
def test_it_builds_with_two_profiles(family: str, dtype: str) -> None:
    kind, settings = FAMILIES[family]
    network = defined(published(kind, **settings), {}, dtype)
    plan = network.build([{"batch": (1, 2, 8), "length": (1, 8, 16)}, {"batch": (1, 2, 8), "length": 1}]).plan
    assert len(plan.info.profiles) == 2


def test_a_file_of_the_settings_is_what_transformers_writes(tmp_path: Any) -> None:
    original = published("Llama", rope_parameters=LLAMA3, head_dim=32)
    original.config.save_pretrained(tmp_path)
    config = models.llama(tmp_path).config
    assert (config.head_dim, len(config.rope_factors)) == (32, 16)
    # the shortest waves are kept, the longest are eight times as long
    assert (config.rope_factors[0], config.rope_factors[-1]) == (1.0, pytest.approx(8.0))


def defined(original: Any, sizes: dict[str, int], dtype: str = "float32") -> Any:
    model = decoder_of(original.config.to_dict())(original.config.to_dict(), capacity=16)
    inputs = {
        name: replace(spec, shape=tuple(sizes.get(str(n), n) for n in spec.shape))
        for name, spec in model.inputs.items()
    }
    return trtnet.define(model, inputs, original, dtype=dtype)
