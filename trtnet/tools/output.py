"""How a command hands over its result: a table to read, and JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from trtnet.support.errors import FileError
from trtnet.support.files import atomic_write
from trtnet.support.plain import plain
from trtnet.support.text.printing import PlainConsole

PIPE_WIDTH = 1000


def show(picture: RenderableType, result: Any, json_file: str | None) -> None:
    """Prints `picture`, and writes `result` as JSON to a file, or to standard output for ``-`` (then instead of it).

    Numbers that JSON has no word for are the texts inf, -inf and nan.

    Raises FileError if the file cannot be written.
    """
    text = json.dumps(plain(result), indent=2, allow_nan=False)
    with _explained():
        if json_file == "-":
            print(text, flush=True)
            return
        console = PlainConsole()
        if console.is_terminal:
            console.print(picture)
        else:
            _print_piped(picture)
    if json_file:
        with atomic_write(json_file) as file:
            file.write(text.encode() + b"\n")


def with_files(picture: RenderableType, *written: Path | None) -> RenderableType:
    """A picture and the files that were written beside it, a line each; None is none."""
    lines = [Text(f"wrote {path}", no_wrap=True, overflow="ignore") for path in written if path is not None]
    return Group(picture, *lines)


def _print_piped(picture: RenderableType) -> None:
    """A pipe has no width: names stay whole, one row a line and no blanks behind it, for grep and the like."""
    console = PlainConsole(width=PIPE_WIDTH)
    with console.capture() as captured:
        console.print(picture)
    for line in captured.get().splitlines():
        print(line.rstrip())


@contextmanager
def _explained() -> Iterator[None]:
    """Makes a FileError of standard output that cannot be written, as on a full disk; not of a pipe that is gone."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(error.errno, error.strerror, "standard output") from error
