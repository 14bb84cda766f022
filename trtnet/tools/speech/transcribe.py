"""`trtnet transcribe` and `trtnet.transcribe`: from a published Whisper and a sound file to text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from trtnet import models
from trtnet.checkpoint import Checkpoint, open_checkpoint
from trtnet.checkpoint.formats.ctranslate2_file import CTranslate2File
from trtnet.definition import define
from trtnet.generation.speech import Transcriber, Transcription, TranscriptionConfig
from trtnet.generation.speech.audio import read_sound
from trtnet.generation.speech.configuration import GREEDY
from trtnet.generation.speech.tokens import speech_tokens
from trtnet.models.whisper_text import loudest
from trtnet.runtime import load
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import CheckpointError, ModelError
from trtnet.support.json_text import read_object_if_there
from trtnet.tools.generation.tokenizer import from_file
from trtnet.weights import rules, whisper

ENGINES = "encoder.engine", "decoder.engine"


def load_transcriber(
    source: str | PathLike[str] | None = None,
    *,
    dtype: DTypeLike = "float32",
    engines: str | PathLike[str] | None = None,
    rows: int = 5,
) -> Transcriber:
    """The transcriber of a published Whisper.

    source: a folder of CTranslate2's or faster-whisper's (model.bin, tokenizer.json, config.json), or of Hugging Face's
    (config.json, tokenizer.json, .safetensors, generation_config.json); None for Whisper tiny.en, which is fetched
    once. dtype: that the model computes in; its features are computed in float32. engines: a folder of two plan files,
    which are built if they are not there, and run on the GPU; None runs the networks on the CPU reference. rows: the
    most texts that new engines follow at once.
    Raises CheckpointError and ModelError for what is no such model, BuildError, and DeviceError without a GPU for
    engines.
    """
    folder = whisper.folder() if source is None else Path(source)
    weights, config = _weights(folder)
    tokenizer = from_file(folder / "tokenizer.json")
    settings = read_object_if_there(folder / "config.json") | read_object_if_there(folder / "generation_config.json")
    tokens = speech_tokens(tokenizer.tokenizer, config["vocab_size"], settings)
    made = partial(
        Transcriber, tokenizer=tokenizer, tokens=tokens, loudest=partial(loudest, count=config["num_mel_bins"])
    )
    files = None if engines is None else [Path(engines) / name for name in ENGINES]
    if files is not None and all(file.exists() for file in files):
        return made(load(files[0]), load(files[1]), device="cuda")
    encoder = define(
        models.whisper_encoder(**config), weights=weights, strict=False, dtype={"": dtype, "features": "float32"}
    )
    decoder = define(models.whisper_decoder(**config), weights=weights, strict=False, dtype=dtype)
    if files is None:
        return made(encoder.reference(), decoder.reference())
    built = encoder.build({"batch": 1}), decoder.build(_profiles(rows, config["max_target_positions"]))
    for file, engine in zip(files, built, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        engine.save(file)
    return made(*built, device="cuda")


def transcribe(
    sound: str | PathLike[str],
    model: str | PathLike[str] | Transcriber | None = None,
    config: TranscriptionConfig = GREEDY,
) -> Transcription:
    """What a WAV file says.

    model: a Transcriber, or a folder, which is read anew at each call and computed in float32: see
    ``load_transcriber``; None for Whisper tiny.en.
    Returns the segments and the text.
    Raises what load_transcriber and the transcriber raise, and InputError for what is no WAV file.
    """
    transcriber = model if isinstance(model, Transcriber) else load_transcriber(model)
    return transcriber(read_sound(Path(sound)), config)


def _profiles(rows: int, capacity: int) -> list[Any]:
    """One for what a text begins with, one for its tokens."""
    return [
        {"batch": 1, "length": (1, 4, capacity // 2 + 4), "count": (1, 2, 2)},
        {"batch": (1, rows, rows), "length": 1, "count": 1},
    ]


def _weights(folder: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """(the weights by the zoo's names, the fields of the configuration)."""
    if not folder.is_dir():
        raise CheckpointError(f"there is no Whisper {folder}: it is a folder with tokenizer.json and weights")
    checkpoint = open_checkpoint(folder)
    family = "ctranslate2_whisper" if isinstance(checkpoint, CTranslate2File) else "whisper_text"
    if not rules(family).fits(checkpoint):
        raise ModelError(f"{folder} is no Whisper: its weights have other names")
    found = rules(family).apply(checkpoint)
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
