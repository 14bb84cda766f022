"""Whisper from a recording to text: engines on a GPU beside the CPU reference, and how long they take.

    python tests/benchmarks/transcribe.py FOLDER FILE.wav [--dtype float16] [--repeats 20] [--json FILE]
    python tests/benchmarks/transcribe.py FOLDER FILE.wav --check       # the reference twice, nothing on a GPU

FOLDER holds a published Whisper (see `trtnet transcribe --help`). The engines are built anew. Times are of the whole
way from samples to text. Exits with 1 where words differ.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.benchmarks import machine

from trtnet.generation.speech.audio import RATE, read_sound
from trtnet.generation.speech.configuration import TranscriptionConfig
from trtnet.tools.bench.statistics import Summary, summarize
from trtnet.tools.speech.transcribe import load_transcriber

GREEDY, BEAMS = TranscriptionConfig(), TranscriptionConfig(beam_size=5)


def seconds(work: Callable[[], Any], repeats: int) -> Summary:
    """Of the repetitions, after three that are not counted."""
    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return summarize(times[3:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sound", type=Path)
    parser.add_argument("--dtype", default="float16")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    samples = read_sound(options.sound)
    expected = load_transcriber(options.folder)(samples)
    found: dict[str, Any] = {
        "machine": machine(),
        "seconds of sound": len(samples) / RATE,
        "words": len(expected.text.split()),
        "tokens": sum(len(segment.tokens) for segment in expected.segments),
    }
    with tempfile.TemporaryDirectory() as name:
        engines = None if options.check else name
        start = time.perf_counter()
        transcriber = load_transcriber(options.folder, dtype=options.dtype, engines=engines)
        found["seconds to build"] = time.perf_counter() - start
        found["equal words"] = transcriber(samples).text == expected.text
        for way, config in {"greedy": GREEDY, "5 beams": BEAMS}.items():
            times = seconds(partial(transcriber, samples, config), options.repeats)
            found[f"seconds, {way}"] = {"median": times.median, "least": times.min, "most": times.max}
    print(json.dumps(found, indent=2))
    print(expected.text)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
    raise SystemExit(not found["equal words"])


if __name__ == "__main__":
    main()
