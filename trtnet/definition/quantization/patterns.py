"""Schemes by patterns of module paths, and which of them have decided something."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from trtnet.checkpoint.nearest import nearest
from trtnet.definition.quantization.schemes import CHECKPOINT, AnyScheme, CheckpointScheme, schemes_of
from trtnet.support import json_text
from trtnet.support.errors import ModelError

Schemes = str | os.PathLike[str] | Mapping[str, Any]
"""``"checkpoint"`` for what the checkpoint holds quantized; schemes by patterns of module paths, or a file of them."""


class Patterns:
    """The schemes of a mapping, in its order. Each kind of scheme is for its own kind of thing.

    "none" and "checkpoint" are for all. Raises ModelError for a mapping that says no schemes.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        if others := [pattern for pattern in table if not isinstance(pattern, str)]:
            raise ModelError(f"quantization: a pattern of module paths is a text, found {others[0]!r}")
        self._rows = [(pattern, scheme) for pattern, said in table.items() for scheme in schemes_of(pattern, said)]
        self._used: set[tuple[str, AnyScheme | None]] = set()

    @property
    def keep_the_checkpoint(self) -> bool:
        """Whether a pattern has the scheme "checkpoint"."""
        return any(isinstance(scheme, CheckpointScheme) for _, scheme in self._rows)

    def first(self, names: Sequence[str], kind: type[AnyScheme], *, named: bool = False) -> AnyScheme | None:
        """The scheme of the first pattern that fits one of some names, of a kind or "checkpoint"; None for "none".

        named: only what is one of the names itself fits.
        """
        for pattern, scheme in self._rows:
            fits = pattern in names if named else any(fnmatchcase(name, pattern) for name in names)
            if fits and (scheme is None or isinstance(scheme, (kind, CheckpointScheme))):
                self._used.add((pattern, scheme))
                return scheme
        return None

    def check(self, kind: type[AnyScheme] | None, there: Sequence[str], what: str, advice: str = "") -> None:
        """Raises ModelError for a pattern of this kind, None for "none", that fits nothing.

        there: what could be named. what: it would be, in words. advice: after these.
        """
        for row in self._rows:
            if row not in self._used and (row[1] is None if kind is None else isinstance(row[1], kind)):
                near = ", ".join(nearest(row[0], list(filter(None, there)))) or "(none)"
                raise ModelError(f"quantization: {row[0]!r} matches no {what}; the nearest are {near}{advice}")


_READERS: Mapping[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json_text.loads}


def table_of(said: Schemes | None) -> Mapping[str, Any]:
    """Schemes by patterns, of whatever says them. Raises ModelError for a file that says none."""
    if said is None or said == CHECKPOINT:
        return {} if said is None else {"*": CHECKPOINT}
    return said if isinstance(said, Mapping) else _table(Path(said))


def _table(path: Path) -> Mapping[str, Any]:
    """The schemes of a file, by patterns. Raises ModelError if it is none."""
    if path.suffix not in _READERS:
        raise ModelError(f'quantization is "{CHECKPOINT}", a mapping, or a .toml or .json file; found {str(path)!r}')
    try:
        found = _READERS[path.suffix](path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the quantization {path}: {getattr(error, 'strerror', '') or error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} has no table of schemes by patterns of module paths")
    return found
