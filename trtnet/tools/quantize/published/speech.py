"""A Whisper, calibrated with recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trtnet import models
from trtnet.checkpoint.rules import RuleSet
from trtnet.checkpoint.rules.keys import Drop, Unfill
from trtnet.checkpoint.rules.pattern import pattern
from trtnet.definition import DefinedNetwork, define
from trtnet.definition.quantization import Watch
from trtnet.generation.speech import TranscriptionConfig
from trtnet.generation.speech.audio import read_sound
from trtnet.support import dtypes
from trtnet.support.errors import InputError
from trtnet.support.json_text import read_object
from trtnet.tools.quantize.published.folder import How, as_json, files_beside, files_of, write_folder
from trtnet.tools.quantize.quantize import Part
from trtnet.tools.quantize.result import QuantizedCheckpoint
from trtnet.tools.quantize.writing import CONFIG, Form
from trtnet.tools.speech.published import PublishedSpeech, published_speech
from trtnet.weights import rules

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
CONVOLUTIONS = ("encoder.conv1", "encoder.conv2")
"""The modules that stay floats: TensorRT-RTX 1.6.1 does not build convolutions in int8 for an H200."""
_GREEDY = TranscriptionConfig(temperatures=(0.0,))


def quantize_speech(source: Path, data: Any, out: Path, how: How) -> QuantizedCheckpoint:
    """Quantizes both networks of a Whisper to a folder of Hugging Face's. data: WAV files, or None."""
    found = published_speech(source)
    made = (models.whisper_encoder(**found.config), models.whisper_decoder(**found.config))
    encoder, decoder = (define(each, weights=found.weights, strict=False, quantization=Watch()) for each in made)
    heard = None if data is None else _heard(found, encoder, decoder, files_of(data, ".wav", "recordings"), how.tell)
    sounds = None if heard is None else [each.sound for each in heard]
    texts = None if heard is None else Texts(heard, encoder.reference(), _caches(decoder))
    parts = [Part(made[0], None, encoder, sounds), Part(made[1], None, decoder, texts)]
    return write_folder(
        out, how.of(parts, CONVOLUTIONS), Form(_names(), _config(source, found), wide=True), _beside(source, found)
    )


@dataclass
class Heard:
    """A window of sound as the encoder took it, and the texts that the decoder wrote of it."""

    sound: Arrays
    texts: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class Texts:
    """The calls of the decoder: each text from its beginning, with what the encoder says of its sound."""

    heard: list[Heard]
    encoder: Any
    caches: Arrays

    def __iter__(self) -> Iterator[Arrays]:
        for window in self.heard:
            sounds = dict(self.encoder(**window.sound))
            for text in window.texts:
                ids, places = np.array([text], np.int64), np.arange(len(text))[None]
                yield {
                    "input_ids": ids, "write_indices": np.zeros(1, np.int32), "places": places,
                    **self.caches, **sounds,
                }  # fmt: skip


class _Recorded:
    """A reference whose calls are noted."""

    def __init__(self, reference: Any, note: Callable[[Mapping[str, Array]], None]) -> None:
        self._reference, self._note, self.inputs = reference, note, reference.inputs

    def __call__(self, **given: Array) -> Any:
        self._note(given)
        return self._reference(**given)


def _heard(
    found: PublishedSpeech, encoder: DefinedNetwork, decoder: DefinedNetwork, files: list[Path],
    tell: Callable[[str], None],
) -> list[Heard]:  # fmt: skip
    """What the float model hears and writes of recordings. Raises InputError where it is nothing."""
    windows: list[Heard] = []

    def listen(given: Mapping[str, Array]) -> None:
        windows.append(Heard(dict(given)))

    def write(given: Mapping[str, Array]) -> None:
        begins, ids = not given["write_indices"].any(), given["input_ids"][0].tolist()
        windows[-1].texts += [ids] if begins else []
        windows[-1].texts[-1] += [] if begins else ids

    transcriber = found.transcriber(_Recorded(encoder.reference(), listen), _Recorded(decoder.reference(), write))
    for number, file in enumerate(files, 1):
        tell(f"recording {number} of {len(files)}")
        transcriber(read_sound(file), _GREEDY)
    if not windows:
        raise InputError("the recordings have no sound")
    return windows


def _caches(decoder: DefinedNetwork) -> Arrays:
    """Empty caches of one text."""
    own = [info for info in decoder.reference().inputs if info.name.startswith(("key_", "value_"))]
    return {info.name: np.zeros((1, *map(int, info.shape[1:])), dtypes.get(info.dtype).numpy) for info in own}


def _names() -> RuleSet:
    """From the zoo's names to those of transformers' WhisperModel; a bias of keys would change no softmax."""
    back = rules("whisper_text").inverse()
    bias = Drop(pattern(r"_attn\.k_proj\.bias$"))
    return RuleSet(back.name, tuple(bias if isinstance(rule, Unfill) else rule for rule in back.rules))


def _config(source: Path, found: PublishedSpeech) -> dict[str, Any]:
    """That of the folder without its quantization; of CTranslate2's, which has another one, what it says."""
    said = read_object(source / CONFIG)
    if "model_type" in said:
        left_out = ("quantization_config", "dtype")
        return {key: value for key, value in said.items() if key not in left_out} | {"torch_dtype": "float32"}
    return {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", **found.config,
        "activation_function": "gelu", "decoder_start_token_id": found.tokens.begin,
        "eos_token_id": found.tokens.end, "torch_dtype": "float32",
    }  # fmt: skip


def _beside(source: Path, found: PublishedSpeech) -> dict[str, Path | str]:
    """The other files; CTranslate2's lists of tokens by Hugging Face's names."""
    files = files_beside(source)
    if "generation_config.json" in files:
        return files
    settings = {
        "suppress_tokens": [*found.tokens.suppressed], "begin_suppress_tokens": [*found.tokens.suppressed_first],
        "is_multilingual": bool(found.tokens.languages),
    }  # fmt: skip
    return {**files, "generation_config.json": as_json(settings)}
