"""From the files of a published model to those of a quantized one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trtnet.support.json_text import read_object_if_there
from trtnet.tools.quantize.choosing import chosen
from trtnet.tools.quantize.published.folder import How, check_new
from trtnet.tools.quantize.published.speech import quantize_speech
from trtnet.tools.quantize.published.text import quantize_text
from trtnet.tools.quantize.result import QuantizedCheckpoint


def is_published(name: str) -> bool:
    """Whether a command's target is the files of a published model: a folder, or a GGUF file."""
    return Path(name).is_dir() or Path(name).suffix == ".gguf"


def quantize_published(
    source: str | os.PathLike[str],
    data: Any,
    out: str | os.PathLike[str],
    *,
    scheme: str = "int8",
    method: str | None = None,
    skip: Sequence[str] = (),
    tolerance: float | None = None,
    smooth: float | str | None = None,
    attention: str | None = None,
    correct: bool = True,
    placement: Sequence[str] | str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> QuantizedCheckpoint:
    """Quantizes a published language model or Whisper, with all of its networks, to a folder of Hugging Face's.

    source: a folder or a GGUF file, as ``load_generator`` and ``load_transcriber`` take them. data: of a language model
    texts: strings, a .txt file with one a line, or a folder of such files; of a Whisper recordings: a WAV file,
    several, or a folder of them. None for schemes of weights alone. out: a folder that is new or empty;
    ``load_generator(out, quantization="checkpoint")`` or ``load_transcriber`` takes it. The others: as
    :func:`trtnet.quantize` takes them. Weights that are tables of embeddings too, and Whisper's convolutions, stay
    floats. Returns what was written.
    Raises what trtnet.quantize raises, and CheckpointError for files that are no such model.
    """
    folder = Path(out)
    check_new(folder)
    choice = chosen(scheme, method, smooth, attention, tolerance, data is not None, placement)
    how = How(choice, skip, tolerance, correct, tell)
    place = Path(source)
    return (quantize_speech if _is_speech(place) else quantize_text)(place, data, folder, how)


def _is_speech(source: Path) -> bool:
    if not source.is_dir():
        return False
    return (source / "model.bin").is_file() or read_object_if_there(source / "config.json").get(
        "model_type"
    ) == "whisper"
