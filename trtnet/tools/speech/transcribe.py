"""`trtnet transcribe` and `trtnet.transcribe`: from a published Whisper and a sound file to text."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from trtnet import models
from trtnet.definition import define
from trtnet.definition.quantization import Schemes
from trtnet.generation.speech import Transcriber, Transcription, TranscriptionConfig
from trtnet.generation.speech.audio import read_sound
from trtnet.generation.speech.configuration import GREEDY
from trtnet.runtime import load
from trtnet.support.dtypes import DTypeLike
from trtnet.tools.speech.published import published_speech
from trtnet.weights import whisper

ENGINES = "encoder.engine", "decoder.engine"


def load_transcriber(
    source: str | PathLike[str] | None = None,
    *,
    dtype: DTypeLike = "float32",
    engines: str | PathLike[str] | None = None,
    rows: int = 5,
    quantization: Schemes | None = None,
) -> Transcriber:
    """The transcriber of a published Whisper.

    source: a folder of CTranslate2's or faster-whisper's (model.bin, tokenizer.json, config.json), or of Hugging Face's
    (config.json, tokenizer.json, .safetensors, generation_config.json); None for Whisper tiny.en, which is fetched
    once. dtype: that the model computes in; its features are computed in float32. engines: a folder of two plan files,
    which are built if they are not there, and run on the GPU; None runs the networks on the CPU reference. rows: the
    most texts that new engines follow at once. quantization: as in :class:`trtnet.Quantize`: "checkpoint" keeps the
    weights of a quantized checkpoint; None makes floats of them.
    Raises CheckpointError and ModelError for what is no such model, BuildError, and DeviceError without a GPU for
    engines.
    """
    found = published_speech(whisper.folder() if source is None else Path(source))
    files = None if engines is None else [Path(engines) / name for name in ENGINES]
    if files is not None and all(file.exists() for file in files):
        return found.transcriber(load(files[0]), load(files[1]), device="cuda")
    options: dict[str, Any] = {"weights": found.weights, "strict": False, "quantization": quantization}
    encoder = define(models.whisper_encoder(**found.config), dtype={"": dtype, "features": "float32"}, **options)
    decoder = define(models.whisper_decoder(**found.config), dtype=dtype, **options)
    if files is None:
        return found.transcriber(encoder.reference(), decoder.reference())
    built = encoder.build({"batch": 1}), decoder.build(_profiles(rows, found.config["max_target_positions"]))
    for file, engine in zip(files, built, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        engine.save(file)
    return found.transcriber(*built, device="cuda")


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
