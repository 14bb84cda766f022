"""What a drawing is written as, by the end of a file's name: known before anything is drawn."""

from __future__ import annotations

from pathlib import Path

from trtnet.support.files import check_suffix

SUFFIXES = (".html", ".svg", ".png", ".dot", ".json")


def check_drawing(path: Path) -> None:
    """Raises TrtnetError for a file that no writer is for."""
    check_suffix(path, SUFFIXES, "a drawing")
