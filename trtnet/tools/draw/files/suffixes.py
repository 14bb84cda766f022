"""What a drawing is written as, by the end of a file's name: known before anything is drawn."""

from __future__ import annotations

from pathlib import Path

from trtnet.support.errors import ModelError

SUFFIXES = (".html", ".svg", ".png", ".dot", ".json")


def check_suffix(path: Path) -> None:
    """Raises ModelError for a file that no writer is for."""
    if path.suffix not in SUFFIXES:
        raise ModelError(f"{path}: a drawing is written as {', '.join(SUFFIXES)}")
