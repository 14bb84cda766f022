"""Where the user wrote the line that is being executed."""

from __future__ import annotations

import linecache
import os
import re
import sys
import traceback
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PACKAGE = str(Path(__file__).resolve().parents[1])
_MODELS = f"{_PACKAGE}/models/"
_LIBRARY = re.compile(r"^<|/lib/python3[^/]*/(?!(site|dist)-packages/)|/\w+-packages/(torch|numpy|typer|click)/")


@dataclass(frozen=True)
class SourceLine:
    """A line of the user's program or of a model file."""

    file: str
    line: int

    @property
    def text(self) -> str:
        """The line itself, without its indentation."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def is_installed(self) -> bool:
        """Whether it is of an installed package."""
        return "/site-packages/" in self.file or "/dist-packages/" in self.file

    def __str__(self) -> str:
        return f"{_short(self.file, os.getcwd())}:{self.line}"  # noqa: PTH109 - Path.cwd() takes longer than all else


def caller() -> SourceLine | None:
    """The innermost line of the call stack that is the user's, not trtnet's, torch's, numpy's or Python's own.

    Model files count as the user's.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if _is_users(frame.f_code.co_filename):
            return SourceLine(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def raised_at(error: BaseException) -> SourceLine | None:
    """The user's line that an error came from; None if it came through none."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return SourceLine(error.filename, error.lineno)
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next((SourceLine(*frame) for frame in reversed(frames) if _is_users(frame[0])), None)


def at(source: SourceLine | None, text: str) -> str:
    """A message with the line that it is about."""
    return text if source is None else f"{text}\n  in {source}   {source.text}".rstrip()


def here(text: str) -> str:
    """A message with the user's line."""
    return at(caller(), text)


@lru_cache(maxsize=4096)
def _is_users(file: str) -> bool:
    if file.startswith(f"{_PACKAGE}/"):
        return file.startswith(_MODELS)
    return not _LIBRARY.search(file)


@lru_cache(maxsize=256)
def _short(file: str, folder: str) -> str:
    path = Path(file)
    for base in (Path(folder), Path(_PACKAGE).parent):
        if path.is_relative_to(base):
            return str(path.relative_to(base))
    return str(path)
