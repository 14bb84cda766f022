"""A small Whisper of transformers with random weights, and its folders: Hugging Face's, CTranslate2's."""

from __future__ import annotations

import json
import struct
import wave
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from helpers import originals

from trtnet.checkpoint.formats.ctranslate2_file import DTYPES
from trtnet.weights import rules

WORDS = [f"{'' if n % 3 else ' '}{chr(97 + n % 26)}{n}" for n in range(60)]
LANGUAGES = ["en", "de", "ja", "haw"]
SPECIAL = [
    "endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe", "startoflm", "startofprev", "nospeech",
    "notimestamps",
]  # fmt: skip
TIMES = 1501
SIZES = {
    "d_model": 48, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96, "decoder_ffn_dim": 80, "vocab_size": len(WORDS) + len(SPECIAL) + TIMES,
    "max_source_positions": 150, "max_target_positions": 24,
}  # fmt: skip
SECONDS = 3
END = len(WORDS)
TOKENS = {name: END + i for i, name in enumerate(SPECIAL)}
"""The numbers of the special tokens."""
SUPPRESSED, SUPPRESSED_FIRST = [3, 4], [5]


@cache
def original() -> Any:
    """Random in every weight; it takes three seconds of sound."""
    originals.import_torchvision()
    import transformers

    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), END)
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**SIZES, **ids)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
            parameter.normal_(centre, 0.2, generator=generator)
        model.model.decoder.embed_tokens.weight[END:] *= 0.3  # most of what it says is words
        model.model.decoder.embed_positions.weight *= 6  # and not the same one
        model.model.decoder.layer_norm.weight *= 4  # without a doubt
    return model


def sound(seed: int = 0, seconds: float = SECONDS) -> np.ndarray:
    """Noise that fades, [samples] int32."""
    rng = np.random.default_rng(seed)
    count = int(seconds * 16000)
    return (rng.normal(0, 4000, count) * np.linspace(1, 0.2, count)).astype(np.int32)


def around(samples: np.ndarray) -> np.ndarray:
    """Windows with their reflections, as transformers has them: [batch, samples] -> [batch, 200 + samples + 200]."""
    return np.pad(samples, [(0, 0), (200, 200)], "reflect")


def features(samples: np.ndarray, mels: int = 80) -> torch.Tensor:
    """transformers' log-mel features of whole windows, [batch, mels, frames]."""
    import transformers

    extractor = transformers.WhisperFeatureExtractor(mels, chunk_length=SECONDS)
    return extractor([*(samples / 32768)], sampling_rate=16000, return_tensors="pt").input_features


def write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models

    names = [*WORDS, *(f"<|{name}|>" for name in SPECIAL), *(f"<|{i * 0.02:.2f}|>" for i in range(TIMES))]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token=WORDS[0]))
    made.decoder = decoders.Fuse()
    made.save(str(path))


def write_folder(folder: Path, is_multilingual: bool = False) -> Path:
    """As save_pretrained writes it, with lists of tokens that are suppressed."""
    original().save_pretrained(folder)
    write_tokenizer(folder / "tokenizer.json")
    suppressed = {"suppress_tokens": SUPPRESSED, "begin_suppress_tokens": SUPPRESSED_FIRST}
    settings = suppressed | {"is_multilingual": is_multilingual}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder


def write_wav(path: Path, samples: np.ndarray) -> Path:
    """A file of samples from -32768 to 32767, of 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def write_ctranslate2(folder: Path) -> Path:
    """The same model as CTranslate2's conversion lays it out."""
    weights = rules("whisper_text").apply(original())
    arrays = dict(rules("ctranslate2_whisper").inverse().apply(weights))
    settings = {f"{side}/num_heads": np.int16(4) for side in ("encoder", "decoder")}
    aliases = {"decoder/projection/weight": "decoder/embeddings/weight"}
    write_model_bin(folder / "model.bin", {**arrays, **settings}, aliases)
    write_tokenizer(folder / "tokenizer.json")
    (folder / "config.json").write_text(
        json.dumps({"suppress_ids": SUPPRESSED, "suppress_ids_begin": SUPPRESSED_FIRST})
    )
    return folder


def write_model_bin(
    path: Path, arrays: Mapping[str, Any], aliases: Mapping[str, str] | None = None, spec: str = "WhisperSpec"
) -> Path:
    """A file as ctranslate2.specs.model_spec writes it, of version 6."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", 6), text(spec), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        array = np.asarray(array)
        number = [dtype.numpy for dtype in DTYPES].index(array.dtype)
        sizes = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        parts += [text(name), sizes, struct.pack("<BI", number, array.nbytes), array.tobytes()]
    parts.append(struct.pack("<I", len(aliases or {})))
    parts += [part for pair in (aliases or {}).items() for part in map(text, pair)]
    path.write_bytes(b"".join(parts))
    return path
