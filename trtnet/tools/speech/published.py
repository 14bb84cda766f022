"""A published Whisper: its weights by the zoo's names, its configuration, its tokenizer and its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trtnet.checkpoint import Checkpoint, open_checkpoint
from trtnet.checkpoint.formats.ctranslate2_file import CTranslate2File
from trtnet.checkpoint.quantized.quantization import in_floats
from trtnet.generation.speech import Transcriber
from trtnet.generation.speech.tokens import SpeechTokens, speech_tokens
from trtnet.models.whisper_text import loudest
from trtnet.support.errors import CheckpointError, ModelError
from trtnet.support.json_text import read_object_if_there
from trtnet.text.tokenizer import FileTokenizer, from_file
from trtnet.weights import rules


@dataclass(frozen=True)
class PublishedSpeech:
    """weights: of both networks, floats, which stay known as quantized where they are. config: of the models.

    settings: what the files beside the weights say.
    """

    weights: Checkpoint
    config: Mapping[str, Any]
    tokenizer: FileTokenizer
    tokens: SpeechTokens
    settings: Mapping[str, Any]

    def transcriber(self, encoder: Any, decoder: Any, device: str | None = None) -> Transcriber:
        """The transcriber that runs two references or engines."""
        loudness = partial(loudest, count=self.config["num_mel_bins"])
        return Transcriber(encoder, decoder, self.tokenizer, self.tokens, loudness, device)


def published_speech(folder: Path) -> PublishedSpeech:
    """The Whisper of a folder of Hugging Face's or CTranslate2's.

    Raises CheckpointError for files that are missing or cannot be read, ModelError for another model.
    """
    weights, config = _weights(folder)
    tokenizer = from_file(folder / "tokenizer.json")
    settings = read_object_if_there(folder / "config.json") | read_object_if_there(folder / "generation_config.json")
    tokens = speech_tokens(tokenizer.tokenizer, config["vocab_size"], settings)
    return PublishedSpeech(weights, config, tokenizer, tokens, settings)


def _weights(folder: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """(the weights by the zoo's names, the fields of the configuration)."""
    if not folder.is_dir():
        raise CheckpointError(f"there is no Whisper {folder}: it is a folder with tokenizer.json and weights")
    if not (folder / "tokenizer.json").is_file():
        raise CheckpointError(
            f"{folder} is no Whisper: there is no tokenizer.json in it, beside config.json and weights"
        )
    checkpoint = open_checkpoint(folder)
    floats = in_floats(checkpoint)
    family = "ctranslate2_whisper" if isinstance(checkpoint, CTranslate2File) else "whisper_text"
    if not rules(family).fits(floats):
        raise ModelError(f"{folder} is no Whisper: its weights have other names")
    found = rules(family).apply(floats)
    if isinstance(checkpoint, CTranslate2File):
        heads = {side: int(checkpoint.settings[f"{side}/num_heads"]) for side in ("encoder", "decoder")}
    else:
        described = read_object_if_there(folder / "config.json")
        heads = {side: int(described[f"{side}_attention_heads"]) for side in ("encoder", "decoder")}
    return found, _fields(found, heads)


def _fields(weights: Checkpoint, heads: Mapping[str, int]) -> dict[str, Any]:
    """The configuration by the shapes of the weights; the number of heads is in no shape."""

    def sizes(key: str) -> tuple[int, ...]:
        return weights.info(key).shape

    def layers(side: str) -> int:
        return len({key.split(".")[2] for key in weights if key.startswith(f"{side}.layers.")})

    vocabulary, width = sizes("decoder.embed_tokens.weight")
    return {
        "num_mel_bins": sizes("encoder.conv1.weight")[1],
        "d_model": width,
        "vocab_size": vocabulary,
        "max_source_positions": sizes("encoder.embed_positions.weight")[0],
        "max_target_positions": sizes("decoder.embed_positions.weight")[0],
        **{f"{side}_layers": layers(side) for side in heads},
        **{f"{side}_attention_heads": count for side, count in heads.items()},
        **{f"{side}_ffn_dim": sizes(f"{side}.layers.0.fc1.weight")[0] for side in heads},
    }
