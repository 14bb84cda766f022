"""Which layers operations of a network are given to TensorRT as, where there are several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

Forms = Mapping[str, str | Mapping[str, str]]
"""By kind of operation: a form for the whole network, or forms by patterns of module paths (``"layer4.*"``)."""


@dataclass(frozen=True)
class OperationFacts:
    """An operation that has forms: its dtype, and numbers by name."""

    dtype: str
    numbers: Mapping[str, int]


class FormChoices:
    """What a user chose, and what the modules got.

    chosen: the form of each kind of operation that a module has, by its path; of several operations of a kind, the
    last one's. facts: what is known of these operations, by kind and path.
    """

    def __init__(self, given: Forms | None = None) -> None:
        self._given = {
            kind: {"*": forms} if isinstance(forms, str) else dict(forms) for kind, forms in (given or {}).items()
        }
        self._by_module = {kind for kind, forms in (given or {}).items() if not isinstance(forms, str)}
        self._used: set[tuple[str, str]] = set()
        self.chosen: dict[str, dict[str, str]] = {}
        self.facts: dict[tuple[str, str], list[OperationFacts]] = {}

    def at(self, kind: str, path: str) -> str | None:
        """The user's form for a module: of its path's first pattern that fits. None if there is no choice for it."""
        for pattern, name in self._given.get(kind, {}).items():
            if fnmatchcase(path, pattern):
                self._used.add((kind, pattern))
                return name
        return None

    def note(self, kind: str, path: str, name: str) -> None:
        """A module's operation has this form."""
        self.chosen.setdefault(path, {})[kind] = name

    def is_by_module(self, kind: str) -> bool:
        """Whether a kind was chosen for some modules only."""
        return kind in self._by_module

    def unused(self) -> list[tuple[str, str]]:
        """(kind, pattern) of choices that decided nothing."""
        pairs = [(kind, pattern) for kind, forms in self._given.items() for pattern in forms]
        return [pair for pair in pairs if pair not in self._used]
