"""A published language model with its weights, its tokenizer and its chat template: of a folder, or of a GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtnet import models
from trtnet.checkpoint import Checkpoint, open_checkpoint
from trtnet.checkpoint.formats.gguf_file import GGUFFile
from trtnet.checkpoint.quantized.quantization import in_floats
from trtnet.models.published import LLAMA, Family
from trtnet.models.published_gemma import GEMMA
from trtnet.models.published_phi3 import PHI3
from trtnet.nn import Module
from trtnet.support.errors import CheckpointError, ModelError
from trtnet.support.json_text import read_object_if_there
from trtnet.text.chat import ChatTemplate
from trtnet.text.gguf_tokenizer import from_gguf
from trtnet.text.tokenizer import FileTokenizer, from_file
from trtnet.tools.generation.gguf_fields import GEMMAS, llama_fields
from trtnet.tools.generation.gguf_gemma import gemma_fields, gemma_rules
from trtnet.tools.generation.gguf_phi3 import phi3_fields
from trtnet.weights import RuleSet, rules


@dataclass(frozen=True)
class PublishedText:
    """A decoder and what belongs to it. eos_token_id: the tokens that end a text."""

    model: Module
    weights: Checkpoint
    tokenizer: FileTokenizer
    eos_token_id: tuple[int, ...]
    chat_template: ChatTemplate | None


def published_text(path: Path, capacity: int) -> PublishedText:
    """The language model of a folder of Hugging Face's, or of a GGUF file. capacity: tokens that a cache holds.

    Raises CheckpointError for files that are missing or cannot be read, ModelError for another family.
    """
    if path.suffix == ".gguf" and path.is_file():
        return _of_gguf(path, capacity)
    if not path.is_dir():
        raise CheckpointError(f"there is no language model {path}: it is a folder with config.json, or a .gguf file")
    return _of_folder(path, capacity)


def _of_gguf(path: Path, capacity: int) -> PublishedText:
    file = GGUFFile(path)
    checkpoint, metadata = file if file.parts < 2 else open_checkpoint(path), file.fields()
    model, conversion = _decoder_of_gguf(metadata, checkpoint, capacity)
    beside = path.with_name("tokenizer.json")
    tokenizer = from_file(beside) if beside.is_file() else from_gguf(metadata, path.name)
    ends = [n for kind in ("eos", "eot") if (n := _number(metadata, kind)) is not None]
    tokens = metadata.get("tokenizer.ggml.tokens", ())
    numbers = {kind: _number(metadata, name) for kind, name in _TOKENS.items()}
    names = {kind: tokens[n] for kind, n in numbers.items() if n is not None and n < len(tokens)}
    template = metadata.get("tokenizer.chat_template")
    weights = conversion.apply(in_floats(checkpoint))
    return PublishedText(model, weights, tokenizer, tuple(ends), template and ChatTemplate(template, names))


def _decoder_of_gguf(metadata: Mapping[str, Any], checkpoint: Checkpoint, capacity: int) -> tuple[Module, RuleSet]:
    """The model, and the rules for its weights."""
    family = metadata.get("general.architecture")
    if family in GEMMAS:
        return models.gemma(**gemma_fields(metadata, checkpoint), capacity=capacity), gemma_rules(family)
    if family == "phi3":
        return models.phi3(**phi3_fields(metadata, checkpoint), capacity=capacity), rules("gguf_phi3")
    return models.llama(**llama_fields(metadata, checkpoint), capacity=capacity), rules("gguf_llama")


_TOKENS = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
"""Tokens that a chat template may name, and their names in GGUF files."""


def _number(metadata: Mapping[str, Any], kind: str) -> int | None:
    return metadata.get(f"tokenizer.ggml.{kind}_token_id")


def _of_folder(path: Path, capacity: int) -> PublishedText:
    if not (path / "config.json").is_file():
        raise CheckpointError(f"there is no {path / 'config.json'}, which says what the model is")
    config, settings = read_object_if_there(path / "config.json"), read_object_if_there(path / "tokenizer_config.json")
    weights = rules("llama").apply(in_floats(open_checkpoint(path)))
    described = {key: value for key, value in config.items() if key != "quantization_config"}  # said by the weights
    try:
        model = decoder_of(described)(described, capacity=capacity)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    ends = read_object_if_there(path / "generation_config.json").get("eos_token_id")
    ends = config.get("eos_token_id") if ends is None else ends
    names = {key: _text(settings[key]) for key in _TOKENS if settings.get(key) is not None}
    file = path / "chat_template.jinja"
    template = file.read_text() if file.is_file() else _default(settings.get("chat_template"))
    tokenizer = from_file(path / "tokenizer.json")
    several = tuple(ends) if isinstance(ends, list) else () if ends is None else (int(ends),)
    return PublishedText(
        model, weights, tokenizer, several, None if template is None else ChatTemplate(template, names)
    )


_FACTORIES = {
    **dict.fromkeys(LLAMA.forms, models.llama),
    **dict.fromkeys(GEMMA.forms, models.gemma),
    **dict.fromkeys(PHI3.forms, models.phi3),
}
"""Those of language models, by `model_type`."""


def decoder_of(config: Mapping[str, Any]) -> Callable[..., Module]:
    """The factory of a published configuration. Raises ModelError for another family."""
    Family({**LLAMA.forms, **GEMMA.forms, **PHI3.forms}).form(config)
    return _FACTORIES[config["model_type"]]


def _text(token: Any) -> str:
    return str(token["content"] if isinstance(token, Mapping) else token)


def _default(template: Any) -> str | None:
    """Of several templates that of this name."""
    if isinstance(template, list):
        return next((each["template"] for each in template if each["name"] == "default"), None)
    return template
