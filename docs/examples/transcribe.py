"""Writes down what two people say on the telephone, with Whisper tiny.en: `python transcribe.py`.

The weights (70 MB) and the recording, which the package pyannote.audio has, are fetched once.
`python transcribe.py FILE.wav` takes another recording; with `--engine` it runs on a GPU. It prints:

    0.0 - 5.0 Hello.
    5.0 - 6.0 Hello.
    ...
    12.0 - 13.0 This is Diane in New Jersey.
    ...
"""

from __future__ import annotations

import sys
from pathlib import Path

from trtnet.generation.speech.audio import read_sound
from trtnet.tools.speech.transcribe import load_transcriber
from trtnet.weights import recordings


def main(path: Path) -> None:
    transcriber = load_transcriber(engines="whisper" if "--engine" in sys.argv else None)
    for segment in transcriber.stream(read_sound(path)):
        print(f"{segment.start:.1f} - {segment.end:.1f}{segment.text}", flush=True)


if __name__ == "__main__":
    files = [text for text in sys.argv[1:] if text != "--engine"]
    main(Path(files[0]) if files else recordings.telephone())
