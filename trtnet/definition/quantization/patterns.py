"""Schemes by patterns of module paths, and which of them have decided something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from trtnet.checkpoint.nearest import nearest
from trtnet.definition.quantization.schemes import AnyScheme, schemes_of
from trtnet.support.errors import ModelError


class Patterns:
    """The schemes of a mapping, in its order. Each kind of scheme is for its own kind of thing; "none" is for all.

    Raises ModelError for a mapping that says no schemes.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._rows = [(pattern, scheme) for pattern, said in table.items() for scheme in schemes_of(pattern, said)]
        self._used: set[tuple[str, AnyScheme | None]] = set()

    def first(self, names: Sequence[str], kind: type[AnyScheme], *, named: bool = False) -> AnyScheme | None:
        """The first scheme of a kind whose pattern fits one of some names; None for "none", and for no pattern.

        named: only what is one of the names itself fits.
        """
        for pattern, scheme in self._rows:
            fits = pattern in names if named else any(fnmatchcase(name, pattern) for name in names)
            if fits and (scheme is None or isinstance(scheme, kind)):
                self._used.add((pattern, scheme))
                return scheme
        return None

    def check(self, kind: type[AnyScheme] | None, there: Sequence[str], what: str, advice: str = "") -> None:
        """Raises ModelError for a pattern of this kind, None for "none", that fits nothing.

        there: what could be named. what: it would be, in words. advice: after these.
        """
        for row in self._rows:
            if row not in self._used and (row[1] is None if kind is None else isinstance(row[1], kind)):
                near = ", ".join(nearest(row[0], list(there))) or "(none)"
                raise ModelError(f"quantization: {row[0]!r} matches no {what}; the nearest are {near}{advice}")
