"""JSON that somebody else has written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Each:
    """An object of any names, whose values are like `values`."""

    values: Any


class Missing:
    """What an object does not have."""


WORDS: Mapping[type, str] = {
    Missing: "missing", type(None): "null", bool: "true or false", int: "a whole number", float: "a number",
    str: "a text", list: "a list", dict: "an object",
}  # fmt: skip
"""Kinds of values."""


def misfit(value: Any, like: Any) -> str:
    """Where a document is not as expected, and what it has there, as in ``.inputs.x is null, not an object``; else "".

    like: a type; a text that it is; a tuple of alternatives; ``[like]`` for a list of such values; a mapping for an
    object that has these names, and perhaps others; Each for an object of any names. float takes whole numbers, too.
    """
    alternatives = like if isinstance(like, tuple) else (like,)
    fits = next((one for one in alternatives if _is_like(value, one)), None)
    if fits is None:
        found = repr(value) if isinstance(value, str) else WORDS[type(value)]
        return f" is {found}, not {' or '.join(map(_words, alternatives))}"
    inner = ((name, misfit(part, expected)) for name, part, expected in _parts(value, fits))
    return next((f"{name}{text}" for name, text in inner if text), "")


def _is_like(value: Any, like: Any) -> bool:
    """Whether it is of the type, whatever its parts are."""
    if isinstance(like, str):
        return bool(value == like)
    return type(value) in ((float, int) if like is float else (_type(like),))


def _type(like: Any) -> type:
    found: type = dict if isinstance(like, Each | Mapping) else list if isinstance(like, list) else like
    return found


def _words(like: Any) -> str:
    return repr(like) if isinstance(like, str) else WORDS[_type(like)]


def _parts(value: Any, like: Any) -> Iterator[tuple[str, Any, Any]]:
    """(name, part, what it should be like)."""
    if isinstance(like, list):
        yield from ((f"[{index}]", part, like[0]) for index, part in enumerate(value))
    elif isinstance(like, Each):
        yield from ((f".{name}", part, like.values) for name, part in value.items())
    elif isinstance(like, Mapping):
        yield from ((f".{name}", value.get(name, Missing()), expected) for name, expected in like.items())
