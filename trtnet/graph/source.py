"""Where the user wrote the line that is being executed."""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = str(Path(__file__).resolve().parents[1])
_ROOMS = tuple(f"{_PACKAGE}/{room}/" for room in ("graph", "ops", "nn", "builder", "verify", "tools"))
_FILES = (f"{_PACKAGE}/definition.py", f"{_PACKAGE}/cli.py")


@dataclass(frozen=True)
class SourceLine:
    """A line of the user's program or of a model file."""

    file: str
    line: int

    @property
    def text(self) -> str:
        """The line itself, without its indentation."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{_short(self.file)}:{self.line}"


def caller() -> SourceLine | None:
    """The innermost line of the call stack that is not trtnet's own machinery (model files count as the user's)."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_ROOMS) and file not in _FILES and not file.startswith("<"):
            return SourceLine(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _short(file: str) -> str:
    path = Path(file)
    for base in (Path.cwd(), Path(_PACKAGE).parent):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return str(path)
