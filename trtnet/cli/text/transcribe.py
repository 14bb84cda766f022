"""The command that writes down speech: `trtnet transcribe`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtnet.cli.grouping import grouped
from trtnet.cli.options import Quantization

if TYPE_CHECKING:
    from trtnet.generation.speech import TranscriptionConfig


@dataclass(frozen=True)
class SpeechOptions:
    """How the text is found."""

    language: Annotated[
        str | None, typer.Option(help="Code of the language, such as en; without it, the model says it.")
    ] = None
    translate: Annotated[bool, typer.Option("--translate", help="Translate to English.")] = False
    beam_size: Annotated[int, typer.Option(help="Texts that are followed at the same time.")] = 1
    timestamps: Annotated[bool, typer.Option(help="Segments and their times; without, the text alone.")] = True
    seed: Annotated[int, typer.Option(help="Seed of the samples of unclear speech.")] = 0

    @property
    def config(self) -> TranscriptionConfig:
        from trtnet.generation.speech import TranscriptionConfig

        return TranscriptionConfig(
            language=self.language, task="translate" if self.translate else "transcribe", beam_size=self.beam_size,
            timestamps=self.timestamps, seed=self.seed,
        )  # fmt: skip


@grouped
def transcribe(
    sound: Annotated[Path, typer.Argument(help="A WAV file.")],
    options: SpeechOptions,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a Whisper, of Hugging Face or CTranslate2; without it, tiny.en is fetched (70 MB)."
        ),
    ] = None,
    engines: Annotated[
        Path | None,
        typer.Option(
            help="Run the two plans of this folder on the GPU, built first if missing; without it, on the CPU."
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help="dtype of the networks: float32, float16, bfloat16.")] = "float32",
    quantization: Quantization = None,
) -> None:
    """Writes down what a WAV file says, with Whisper."""
    from trtnet.generation.speech.audio import read_sound
    from trtnet.runtime.cuda.device import CudaDevice
    from trtnet.tools.speech.transcribe import load_transcriber

    samples, config = read_sound(sound), options.config
    if engines is not None:
        CudaDevice()  # before plans are built, which takes minutes
    transcriber = load_transcriber(
        model, dtype=dtype, engines=engines, rows=max(5, config.beam_size), quantization=quantization
    )
    for segment in transcriber.stream(samples, config):
        times = f"[{_time(segment.start)} - {_time(segment.end)}] " if config.timestamps else ""
        print(f"{times}{segment.text.strip()}", flush=True)


def _time(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02}:{rest:05.2f}"
