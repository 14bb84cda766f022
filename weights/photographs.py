"""A photograph for the examples: ``python -m trtnet.weights.photographs`` prints where it is.

Eileen Collins, astronaut (NASA, in the public domain), 512 by 512 pixels, as the package scikit-image brings it.
"""

from __future__ import annotations

from pathlib import Path

from trtnet.weights.fetch import fetch, print_paths

PACKAGE = "scikit-image"
VERSION = "0.26.0"
MEMBER = "skimage/data/astronaut.png"
SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"


def astronaut() -> Path:
    """A PNG file. Raises CheckpointError if it cannot be had."""
    return fetch(PACKAGE, VERSION, MEMBER, SHA256)


if __name__ == "__main__":
    print_paths(lambda: [astronaut()])
