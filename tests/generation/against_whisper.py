"""Transcribes a recording with openai-whisper and with ours, of the same weights, and compares every segment.

    python tests/generation/against_whisper.py FILE.wav

It needs the package openai-whisper, and what it imports: numba, tiktoken, regex, more_itertools, tqdm. Weights: Whisper
tiny.en, which is fetched. Greedy, then five beams. It prints the segments of both that differ, and how many words do.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import whisper as original_library
from helpers.openai_whispers import openai_whisper

import trtnet
from trtnet.generation.speech import TranscriptionConfig
from trtnet.generation.speech.audio import read_sound
from trtnet.tools.speech.transcribe import load_transcriber
from trtnet.weights import rules, whisper

SIZES = 80, 1500, 384, 6, 4, 51864, 448, 384, 6, 4


def original() -> Any:
    """openai-whisper's model with the weights of the published file."""
    return openai_whisper(rules("ctranslate2_whisper").apply(trtnet.open_checkpoint(whisper.folder())), SIZES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sound", type=Path)
    parser.add_argument("--engines", type=Path, default=None)
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    samples = read_sound(arguments.sound)
    ours, theirs = load_transcriber(engines=arguments.engines, dtype=arguments.dtype), original()
    different = 0
    for beams in (None, 5):
        began = time.perf_counter()
        sound = samples.astype(np.float32) / 32768
        wanted = original_library.transcribe(theirs, sound, beam_size=beams, fp16=False, temperature=0.0)
        middle = time.perf_counter()
        found = ours(samples, TranscriptionConfig(beam_size=beams or 1, temperatures=(0.0,)))
        seconds = middle - began, time.perf_counter() - middle
        their_lines = [f"{s['start']:.2f} {s['end']:.2f} {s['text']}" for s in wanted["segments"] if s["text"].strip()]
        our_lines = [f"{s.start:.2f} {s.end:.2f} {s.text}" for s in found.segments]
        words, our_words = wanted["text"].split(), found.text.split()
        same = sum(m.size for m in difflib.SequenceMatcher(None, words, our_words, False).get_matching_blocks())
        print(f"beams {beams or 1}: {same} of {len(words)} words equal ({len(our_words)} of ours),"
              f" {seconds[0]:.1f} s theirs, {seconds[1]:.1f} s ours")  # fmt: skip
        print(*(line for line in difflib.ndiff(their_lines, our_lines) if not line.startswith("  ")), sep="\n")
        different += their_lines != our_lines
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
