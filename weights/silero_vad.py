"""Silero VAD's published weights (version 6, MIT licence): ``python -m trtnet.weights.silero_vad``.

The TorchScript file of the package silero-vad: the original itself, whose state dict has the weights.
"""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from trtnet.support.errors import TrtnetError
from trtnet.weights.fetch import fetch

PACKAGE = "silero-vad"
VERSION = "6.2.3"
MEMBER = "silero_vad/data/silero_vad.jit"
SHA256 = "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720"


def jit() -> Path:
    """The published file, 2.3 MB, fetched once. Raises CheckpointError if it cannot be had."""
    return fetch(PACKAGE, VERSION, MEMBER, SHA256)


def main() -> None:
    """Fetches Silero VAD and prints where its file is: `trtnet build silero_vad --weights FILE --rules silero_vad`."""
    try:
        print(jit())
    except TrtnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    typer.run(main)
