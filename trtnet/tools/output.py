"""How a command hands over its result: a table to read, and JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import RenderableType

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
    if json_file == "-":
        sys.stdout.write(text + "\n")
        return
    console = PlainConsole()
    # a pipe has no width: names stay whole, one row a line, for grep and the like
    (console if console.is_terminal else PlainConsole(width=PIPE_WIDTH)).print(picture)
    if json_file:
        with atomic_write(json_file) as file:
            file.write(text.encode() + b"\n")
