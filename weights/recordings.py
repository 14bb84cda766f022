"""A recording for the examples: ``python -m trtnet.weights.recordings`` prints where it is.

Two people on the telephone for 30 seconds, and who of them speaks when, as the package pyannote.audio brings them.
"""

from __future__ import annotations

from pathlib import Path

from trtnet.weights.fetch import fetch, print_paths

PACKAGE = "pyannote.audio"
VERSION = "4.0.7"
SOUND = "pyannote/audio/sample/sample.wav", "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e"
SPEAKERS = "pyannote/audio/sample/sample.rttm", "d78fe62c69d8e6dcbb42c26adfce83faccb374c5a1e6d987fe37f85f1c173c87"


def telephone() -> Path:
    """A WAV file of 16 kHz. Raises CheckpointError if it cannot be had."""
    return fetch(PACKAGE, VERSION, *SOUND)


def speakers() -> list[tuple[float, float, str]]:
    """(start, end, who) of what is said in it, in seconds. Raises CheckpointError if it cannot be had."""
    lines = fetch(PACKAGE, VERSION, *SPEAKERS).read_text().split("\n")
    rows = [line.split() for line in lines if line]
    return [(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows]


if __name__ == "__main__":
    print_paths(lambda: [telephone()])
