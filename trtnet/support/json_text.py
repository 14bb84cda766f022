"""JSON that somebody else has written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import an

T = TypeVar("T")


def loads(text: str | bytes, *, strict: bool = True, distinct: bool = False) -> Any:
    """What ``json.loads`` gives: of a name that an object has twice, the last value.

    distinct: such a name is an error.
    Raises ValueError for that, for what is no JSON, and for what is nested too deeply for Python's parser.
    """
    try:
        return json.loads(text, strict=strict, object_pairs_hook=by_one_name if distinct else None)
    except RecursionError as error:
        raise ValueError("its lists are nested too deeply") from error


def by_one_name(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """A dict of pairs. Raises ValueError for two of one name, of which a dict has the last."""
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has {next(name for name in names if names.count(name) > 1)!r} twice")
    return found


def read_object(path: Path) -> dict[str, Any]:
    """The object in a file that belongs to a checkpoint. Raises CheckpointError where there is none."""
    try:
        document = loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{path} is no JSON object: it has {an(type(document).__name__)}")
    return document


def read_object_if_there(path: Path) -> dict[str, Any]:
    """:func:`read_object`; an empty one without the file."""
    return read_object(path) if path.is_file() else {}
