"""JSON that somebody else has written."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes, *, strict: bool = True) -> Any:
    """What ``json.loads`` gives. Raises ValueError for what is no JSON, or nested too deeply for Python's parser."""
    try:
        return json.loads(text, strict=strict)
    except RecursionError as error:
        raise ValueError("its lists are nested too deeply") from error
