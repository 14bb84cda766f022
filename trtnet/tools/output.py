"""How a command hands over its result: a table to read, and JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from trtnet.errors import TrtnetError
from trtnet.files import atomic_write


def show(picture: RenderableType, result: Any, json_file: str | None) -> None:
    """Prints `picture`, and writes `result` as JSON to a file, or to standard output for ``-`` (then instead of it).

    Raises TrtnetError if the file cannot be written.
    """
    text = json.dumps(result, indent=2)
    if json_file == "-":
        sys.stdout.write(text + "\n")
        return
    Console().print(picture)
    if json_file:
        try:
            with atomic_write(Path(json_file)) as file:
                file.write(text.encode() + b"\n")
        except OSError as error:
            raise TrtnetError(f"cannot write {json_file}: {error.strerror or error}") from error
