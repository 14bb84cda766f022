"""What is shown on a terminal, as text."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console


def printed(picture: Any, width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(picture)
    return console.export_text()
