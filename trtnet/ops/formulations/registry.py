"""What there is to choose from: kinds of operations, declared where they are, and the forms of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Applies = Callable[..., bool]
Facts = Callable[..., dict[str, int]]


@dataclass(frozen=True)
class Form:
    """One way to give an operation to TensorRT.

    build: takes the operation's arguments and adds the layers. applies: takes the same, and says whether it can;
    the first line of its docstring says where, for errors. approximate: whether it computes another function.
    """

    name: str
    build: Callable[..., Any]
    applies: Applies
    approximate: bool

    @property
    def where(self) -> str:
        """Where it applies, in words: "Whether x has a 16-bit dtype." is "where x has a 16-bit dtype"."""
        first = (self.applies.__doc__ or "").partition("\n")[0].rstrip(".")
        return f"where {first[0].lower()}{first[1:]}".replace("where whether ", "where ") if first else "elsewhere"


@dataclass(frozen=True)
class Kind:
    """A kind of operation: its forms by name, the neutral one first.

    facts: takes the operation's arguments, and gives the numbers that measurements ask for. is_tuned: whether
    `trtnet tune` chooses its form by time; else the table decides, of forms that differ in what they round.
    """

    name: str
    facts: Facts
    is_tuned: bool = True
    forms: dict[str, Form] = field(default_factory=dict)

    @property
    def neutral(self) -> Form:
        return next(iter(self.forms.values()))


KINDS: dict[str, Kind] = {}
"""All kinds by name."""
FORMS: dict[str, tuple[str, ...]] = {}
"""The names of the exact forms of each kind, the neutral one first."""
APPROXIMATIONS: dict[str, tuple[str, ...]] = {}
"""The names of the forms that compute another function, by kind, where there are any."""


def always(*_: Any) -> bool:
    """Whether it is an operation of its kind."""
    return True


def no_facts(*_: Any) -> dict[str, int]:
    """Nothing is known that measurements ask for."""
    return {}


def declare(
    kind: str, neutral: str, build: Callable[..., Any], facts: Facts, applies: Applies, *, is_tuned: bool
) -> Kind:
    """A new kind with its neutral form."""
    if kind in KINDS:
        raise ValueError(f"there is a kind {kind!r} already")
    KINDS[kind] = Kind(kind, facts, is_tuned)
    _register(kind, Form(neutral, build, applies, approximate=False))
    return KINDS[kind]


def form(kind: str, name: str, *, applies: Applies = always, approximate: bool = False) -> Callable[..., Any]:
    """Declares a function as a form of a kind. It takes the arguments of the neutral form and returns the same.

    applies: a function of these arguments, whose docstring begins "Whether ...". approximate: for another function than
    the neutral form's in real arithmetic, which only ``define(approximations=True)`` admits.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        _register(kind, Form(name, function, applies, approximate))
        return function

    return decorate


def _register(kind: str, made: Form) -> None:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}: an operation declares it with @formulated({kind!r}, ...)")
    forms = KINDS[kind].forms
    if made.name in forms:
        raise ValueError(f"{kind} has a form {made.name!r} already")
    forms[made.name] = made
    table = APPROXIMATIONS if made.approximate else FORMS
    table[kind] = (*table.get(kind, ()), made.name)
