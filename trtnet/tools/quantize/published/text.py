"""A language model, calibrated with texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trtnet import models
from trtnet.checkpoint.formats.gguf_file import GGUFFile
from trtnet.checkpoint.rules import RuleSet
from trtnet.checkpoint.rules.layouts import Rotary
from trtnet.checkpoint.rules.pattern import pattern
from trtnet.definition import define
from trtnet.definition.quantization import Watch
from trtnet.generation import Step
from trtnet.models.gemma import GemmaConfig
from trtnet.models.phi3 import Phi3Config
from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import InputError, ModelError
from trtnet.support.json_text import read_object
from trtnet.tools.generation.published import PublishedText, decoder_of, published_text
from trtnet.tools.quantize.published.folder import How, as_json, files_beside, files_of, write_folder
from trtnet.tools.quantize.quantize import Part
from trtnet.tools.quantize.result import QuantizedCheckpoint
from trtnet.tools.quantize.writing import CONFIG, Form

Array = np.ndarray[Any, Any]
LONGEST = 256
"""Tokens of a text in a call; a longer one is several."""
_CLASSES = {
    "llama": ("llama", "LlamaForCausalLM"),
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
    "phi3": ("phi3", "Phi3ForCausalLM"),
    "gemma": ("gemma", "GemmaForCausalLM"),
    "gemma2": ("gemma2", "Gemma2ForCausalLM"),
    "gemma3": ("gemma3_text", "Gemma3ForCausalLM"),
}
"""The families of GGUF files: `model_type`, and the class of transformers."""


def quantize_text(source: Path, data: Any, out: Path, how: How) -> QuantizedCheckpoint:
    """Quantizes a language model to a folder of Hugging Face's. data: texts, a .txt file or a folder of them; or None.

    A string is a text; of a file each line that is not empty is one.
    """
    found = published_text(source, LONGEST)
    config, beside = _of_gguf(source, found) if source.is_file() else _of_folder(source)
    model, weights = found.model, found.weights
    if model.config.rope_interleaved:  # which only GGUF files are: the rows go back to the order of the original
        model = models.llama(replace(model.config, rope_interleaved=False))
        weights = _halves(model.config.head_width).apply(weights)
    step = Step(model, sampling=False, logits=True)
    network = define(step, weights=weights, quantization=Watch())
    tokens = None if data is None else [found.tokenizer.encode(text) for text in texts_of(data)]
    calls = None if tokens is None else Texts(tokens, network.reference().inputs)
    (part,) = how.of([Part(step, None, network, calls)])
    return write_folder(out, [part], Form(RuleSet("names", ()), config), beside)


def texts_of(data: Any) -> list[str]:
    """The texts that data is. Raises InputError where there is none."""
    given = [data] if isinstance(data, (str, Path)) else [*data]
    paths = [each for each in given if isinstance(each, Path)]
    texts = [each for each in given if not isinstance(each, Path)]
    for file in files_of(paths, ".txt", "texts, one a line") if paths else []:
        texts += file.read_text("utf-8").splitlines()
    found = [text for text in texts if text.strip()]
    if not found:
        raise InputError("data has no text, of which each line is one")
    return found


@dataclass(frozen=True)
class Texts:
    """The calls of a step that tokens make: each text from its beginning, at most LONGEST tokens at a time."""

    texts: list[list[int]]
    takes: tuple[TensorInfo, ...]

    def __iter__(self) -> Iterator[dict[str, Array]]:
        caches = {
            info.name: np.zeros((1, *map(int, info.shape[1:])), dtypes.get(info.dtype).numpy)
            for info in self.takes
            if len(info.shape) == 4
        }
        for text in self.texts:
            for start in range(0, len(text), LONGEST):
                ids = np.array([text[start : start + LONGEST]], np.int64)
                places = np.arange(ids.shape[1])[None]
                yield {"input_ids": ids, "places": places, "write_indices": np.zeros(1, np.int32), **caches}


def _halves(width: int) -> RuleSet:
    """Rows of queries and keys in halves, of those in pairs."""
    return RuleSet("halves", (Rotary(pattern(r"\.self_attn\.[qk]_proj\."), width, interleave=False),))


def _of_folder(source: Path) -> tuple[dict[str, Any], dict[str, Path | str]]:
    """(config.json without its quantization, the other files); of a model that sees images that of its texts."""
    config = read_object(source / CONFIG)
    if config.get("model_type") == "gemma3":
        kind, name = _CLASSES["gemma3"]
        config |= {**(config.get("text_config") or {}), "model_type": kind, "architectures": [name]}
    left = {"quantization_config", "text_config", "vision_config"}
    return {key: value for key, value in config.items() if key not in left}, files_beside(source)


def _of_gemma(ours: GemmaConfig) -> dict[str, Any]:
    """What config.json says of Gemma alone."""
    scaling = {"rope_type": "linear", "factor": ours.rope_factors[0]} if ours.rope_factors else None
    return {
        "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "rope_scaling": scaling,
        "rope_local_base_freq": ours.rope_local_theta, "query_pre_attn_scalar": int(ours.query_pre_attn_scalar),
        "sliding_window": ours.sliding_window, "layer_types": [*ours.layer_types] or None,
        "attn_logit_softcapping": ours.attn_logit_softcapping, "final_logit_softcapping": ours.final_logit_softcapping,
    }  # fmt: skip


def _of_phi3(ours: Phi3Config) -> dict[str, Any]:
    """What config.json says of Phi-3 alone."""
    factors = {"short_factor": [*ours.rope_factors], "long_factor": [*ours.long_factors]}
    scaling = {"type": "longrope", **factors, "attention_factor": ours.rope_scale}
    return {
        "rope_scaling": scaling if ours.long_factors else None,
        "partial_rotary_factor": ours.partial_rotary_factor, "sliding_window": ours.sliding_window,
        "original_max_position_embeddings": ours.original_max_position_embeddings,
    }  # fmt: skip


def _of_gguf(source: Path, found: PublishedText) -> tuple[dict[str, Any], dict[str, Path | str]]:
    """The same of what a GGUF file says. Raises ModelError for what config.json does not say."""
    metadata = GGUFFile(source).fields()
    ours: Any = found.model.config
    family = str(metadata["general.architecture"])
    (kind, name), ends = _CLASSES[family], [*found.eos_token_id]
    document: dict[str, Any] = {
        "architectures": [name], "model_type": kind, "hidden_act": "silu",
        "vocab_size": ours.vocab_size, "hidden_size": ours.hidden_size, "intermediate_size": ours.intermediate_size,
        "num_hidden_layers": ours.num_hidden_layers, "num_attention_heads": ours.num_attention_heads,
        "num_key_value_heads": ours.num_key_value_heads, "head_dim": ours.head_width,
        "rms_norm_eps": ours.rms_norm_eps, "rope_theta": ours.rope_theta, "attention_bias": ours.attention_bias,
        "mlp_bias": ours.mlp_bias, "tie_word_embeddings": ours.tie_word_embeddings,
        "max_position_embeddings": int(metadata.get(f"{family}.context_length", LONGEST)),
        "bos_token_id": metadata.get("tokenizer.ggml.bos_token_id"), "eos_token_id": ends, "torch_dtype": "float32",
    }  # fmt: skip
    if isinstance(ours, GemmaConfig):
        document |= _of_gemma(ours)
    if isinstance(ours, Phi3Config):
        document |= _of_phi3(ours)
    again: Any = decoder_of(document)(document, capacity=ours.capacity).config
    if again != replace(ours, rope_interleaved=False, head_dim=again.head_dim) or again.head_width != ours.head_width:
        raise ModelError(f"{source}: config.json cannot say how this model differs from {family}: give its folder")
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if found.chat_template is not None:
        settings |= {**found.chat_template.tokens, "chat_template": found.chat_template.text}
    return document, {
        "tokenizer.json": found.tokenizer.tokenizer.to_str(),
        "tokenizer_config.json": as_json(settings),
        "generation_config.json": as_json({"bos_token_id": document["bos_token_id"], "eos_token_id": ends}),
    }
