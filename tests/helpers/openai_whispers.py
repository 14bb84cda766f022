"""openai-whisper's model with weights by the zoo's names. It needs the package openai-whisper and what it imports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

NAMES = (
    ("decoder.embed_tokens.weight", "decoder.token_embedding.weight"),
    (r"(en|de)coder\.embed_positions\.weight", r"\1coder.positional_embedding"),
    (r"encoder\.layer_norm\.", "encoder.ln_post."),
    (r"decoder\.layer_norm\.", "decoder.ln."),
    (r"(en|de)coder\.layers\.", r"\1coder.blocks."),
    ("self_attn_layer_norm", "attn_ln"),
    ("encoder_attn_layer_norm", "cross_attn_ln"),
    ("final_layer_norm", "mlp_ln"),
    ("encoder_attn", "cross_attn"),
    ("self_attn", "attn"),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
    (r"out_proj", "out"),
    ("q_proj", "query"),
)


def openai_whisper(weights: Mapping[str, Any], sizes: tuple[int, ...]) -> Any:
    """weights: as the rules whisper_text and ctranslate2_whisper name them. sizes: of whisper.model.ModelDimensions."""
    import whisper

    state: dict[str, torch.Tensor] = {}
    for key in weights:
        value, name = torch.from_numpy(np.asarray(weights[key], np.float32)), key
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        parts = {"in_proj_": ("query", "key", "value"), "kv_proj.": ("key", "value")}
        joined = next((each for each in parts if each in name), None)
        if joined is None:
            state[name] = value
            continue
        for part, each in zip(parts[joined], value.chunk(len(parts[joined])), strict=True):
            if (part, name.endswith("bias")) != ("key", True):  # their keys have no bias: it is zero here
                state[name.replace(joined, f"{part}.")] = each
    model = whisper.model.Whisper(whisper.model.ModelDimensions(*sizes))
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all("mask" in key for key in missing.missing_keys), missing
    return model.eval()
