"""Writes what is printed today into pages: `python tests/docs/update_pages.py docs/guide/x.md`."""

from __future__ import annotations

import sys
import tempfile
from contextlib import chdir
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.docs.output import agrees
from helpers.docs.pages import read
from helpers.docs.running import run


def update(path: Path) -> None:
    """Writes what is printed today in the place of what is shown, where they do not agree."""
    text = path.read_text()

    def replace(command: str, shown: str, printed: str) -> None:
        nonlocal text
        if not agrees(shown, printed):
            start = f"$ {command}\n" if command else "```text\n"
            lines = "".join(f"{line.rstrip()}\n" for line in printed.strip("\n").splitlines())
            text = text.replace(start + shown, start + lines, 1)

    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        run(read(path), has_gpu=False, judge=replace)
    path.write_text(text)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        update(Path(argument).resolve())
