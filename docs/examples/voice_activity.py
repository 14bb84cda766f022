"""Where is speech in a recording? Silero VAD, chunk by chunk with its state: `python voice_activity.py [FILE.wav ...]`.

Without a file it takes a recording of two people, of pyannote.audio; with `--engine` it runs on a GPU. It prints:

    sample.wav: speech from 6.8 to 7.2 s, 7.6 to 12.0 s
    its first 8 seconds: speech from 6.8 to 7.2 s, 7.6 to 8.0 s
"""

from __future__ import annotations

import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import trtnet
from trtnet import models
from trtnet.weights import rules, silero_vad
from trtnet.weights.fetch import fetch

RECORDING = "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e"
CHUNK, SECONDS = 512, 0.032


def chunks(path: Path, seconds: int = 3600) -> np.ndarray:
    """The chunks of a recording, or of its beginning."""
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getsampwidth(), file.getnchannels()) != (16000, 2, 1):
            raise SystemExit(f"{path}: convert it first: ffmpeg -i {path} -ar 16000 -ac 1 -c:a pcm_s16le x.wav")
        samples = np.frombuffer(file.readframes(seconds * 16000), "<i2")
    return (samples[: len(samples) // CHUNK * CHUNK].astype(np.float32) / 32768).reshape(-1, CHUNK)


def speech(probabilities: np.ndarray) -> Iterator[str]:
    """The times of speech: from where it is likely to where it is not any more."""
    begin = None
    for place, probability in enumerate([*probabilities.ravel(), 0.0]):
        if begin is None and probability > 0.5:
            begin = place
        elif begin is not None and probability < 0.35:
            yield f"{begin * SECONDS:.1f} to {place * SECONDS:.1f} s"
            begin = None


def main(files: list[str]) -> None:
    network = trtnet.define(models.silero_vad(), weights=rules("silero_vad").apply(silero_vad.jit()))
    sample = () if files else (fetch("pyannote.audio", "3.3.2", "pyannote/audio/sample/sample.wav", RECORDING),)
    recordings = {path.name: chunks(path) for path in map(Path, files)}
    for path in sample:
        recordings |= {path.name: chunks(path, 12), "its first 8 seconds": chunks(path, 8)}
    run = network.build({"streams": (1, 2, 64)}) if "--engine" in sys.argv else network.reference()
    streams = trtnet.Streams(run, len(recordings))  # side by side, each with its own state
    for name, probabilities in zip(recordings, streams.run(recordings.values()), strict=True):
        print(f"{name}: speech from {', '.join(speech(probabilities)) or 'nowhere'}")


if __name__ == "__main__":
    main([text for text in sys.argv[1:] if text != "--engine"])
