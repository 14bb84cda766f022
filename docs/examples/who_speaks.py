"""Says who of two people speaks on the telephone, with Resemblyzer's voice encoder: `python who_speaks.py`.

The weights (16 MB) and the recording are fetched once. With `--engine` it runs on a GPU. The longest turn of each is
known; the others are compared with both. It prints:

    8.3 - 10.0: speaker90 (...), is speaker90
    ...
    4 of 4 turns are right
"""

from __future__ import annotations

import sys

import numpy as np

import trtnet
from trtnet import models
from trtnet.generation.speech.audio import RATE, read_sound
from trtnet.weights import recordings
from trtnet.weights.packaged import PACKAGED

PART = RATE * 16 // 10
"""Samples of a part of an utterance, 1.6 seconds."""


def main() -> None:
    (weights,) = PACKAGED["voice_encoder"].fetch()
    network = trtnet.define(models.voice_encoder(), weights=weights, strict=False)
    run = network.build({"batch": (1, 8, 64)}) if "--engine" in sys.argv else network.reference()
    sound = read_sound(recordings.telephone()) / 32768

    def embedding(start: float, end: float) -> np.ndarray:
        """The mean of the parts of a turn, as loud as what the network was trained with."""
        turn = sound[int(start * RATE) : int(end * RATE)]
        turn = turn * 10 ** (-30 / 20) / np.sqrt((turn**2).mean())
        parts = [turn[i : i + PART] for i in range(0, len(turn) - PART + 1, PART // 4)]
        mean = run(np.stack(parts).astype(np.float32)).mean(0)
        return mean / np.linalg.norm(mean)

    turns = sorted((t for t in recordings.speakers() if t[1] - t[0] >= 1.6), key=lambda t: t[0] - t[1])
    names = sorted({who for _, _, who in turns})
    longest = {name: next(turn for turn in turns if turn[2] == name) for name in names}
    known = {name: embedding(*turn[:2]) for name, turn in longest.items()}
    others = sorted(turn for turn in turns if turn not in longest.values())
    right = 0
    for start, end, who in others:
        likeness = {name: float(voice @ embedding(start, end)) for name, voice in known.items()}
        found = max(likeness, key=lambda name: likeness[name])
        print(f"{start:.1f} - {end:.1f}: {found} ({likeness[found]:.2f}), is {who}")
        right += found == who
    print(f"{right} of {len(others)} turns are right")


if __name__ == "__main__":
    main()
