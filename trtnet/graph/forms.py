"""Which layers operations of a network are given to TensorRT as, where there are several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

Forms = Mapping[str, str | Mapping[str, str]]
"""By kind of operation: a form for the whole network, or forms by patterns of module paths (``"layer4.*"``)."""
WHOLE = "*"
"""The pattern of a choice for the whole network."""
USER, TABLE, NEUTRAL = "user", "table", "neutral"
"""Who chose a form: the user, or a file of the user's; the table of what was measured; nobody."""


@dataclass(frozen=True)
class FormChoice:
    """A form of a kind for the modules of a pattern. source: who chose it."""

    kind: str
    pattern: str
    form: str
    source: str = USER

    @property
    def by(self) -> str:
        """Who chose it, with the pattern of a choice for some modules."""
        return self.source if self.is_whole else f"{self.source}: {self.pattern}"

    @property
    def is_whole(self) -> bool:
        """Whether it is for the whole network."""
        return self.pattern == WHOLE


@dataclass(frozen=True)
class OperationFacts:
    """An operation that has forms: its dtype, and numbers by name."""

    dtype: str
    numbers: Mapping[str, int]


class FormChoices:
    """What a user chose, and what the modules got.

    source: who gave the choices. approximations: whether forms that compute another function are admitted. chosen: the
    form of each kind of operation that a module has, by its path; of several operations of a kind, the last one's, of
    those first whose form somebody chose. by: who chose it, likewise. facts: what is known of these operations, by
    kind and path. targets: gives the compute capabilities of the GPUs that the engine is for, as far as they are known:
    what was measured on others does not count. It is asked where something was measured.
    """

    def __init__(self, given: Forms | None = None, source: str = USER, approximations: bool = False) -> None:
        self._given = [
            FormChoice(kind, pattern, form, source)
            for kind, forms in (given or {}).items()
            for pattern, form in ({WHOLE: forms} if isinstance(forms, str) else forms).items()
        ]
        self._used: set[FormChoice] = set()
        self._refused: set[FormChoice] = set()
        self.approximations = approximations
        self.targets: Callable[[], Sequence[str]] = tuple
        self.chosen: dict[str, dict[str, str]] = {}
        self.by: dict[str, dict[str, str]] = {}
        self.facts: dict[tuple[str, str], list[OperationFacts]] = {}

    def at(self, kind: str, path: str) -> FormChoice | None:
        """The user's choice for a module: of its path's first pattern that fits. None if there is none."""
        fits = (choice for choice in self._given if choice.kind == kind and fnmatchcase(path, choice.pattern))
        return next(fits, None)

    def use(self, choice: FormChoice) -> None:
        """A choice decides an operation."""
        self._used.add(choice)

    def refuse(self, choice: FormChoice) -> None:
        """A choice does not apply to an operation of its modules."""
        self._refused.add(choice)

    def note(self, kind: str, path: str, name: str, by: str, facts: OperationFacts) -> None:
        """A module's operation has this form."""
        self.facts.setdefault((kind, path), []).append(facts)
        if by == NEUTRAL and self.by.get(path, {}).get(kind, NEUTRAL) != NEUTRAL:
            return
        self.chosen.setdefault(path, {})[kind] = name
        self.by.setdefault(path, {})[kind] = by

    def unused(self) -> list[FormChoice]:
        """Choices that decided nothing."""
        return [choice for choice in self._given if choice not in self._used]

    def was_refused(self, choice: FormChoice) -> bool:
        """Whether an operation was there that the choice does not apply to."""
        return choice in self._refused
