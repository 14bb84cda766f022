"""The form of an operation: the user's, else the fastest as measured, else the neutral one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from trtnet.graph import Tensor
from trtnet.graph.forms import NEUTRAL, TABLE, USER, WHOLE, FormChoices, Forms, OperationFacts
from trtnet.ops.formulations.measured import fastest
from trtnet.ops.formulations.registry import (
    APPROXIMATIONS,
    FORMS,
    KINDS,
    Applies,
    Facts,
    Form,
    Kind,
    always,
    declare,
    no_facts,
)
from trtnet.support import backend
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.text.did_you_mean import did_you_mean

log = logging.getLogger("trtnet.definition")

P = ParamSpec("P")
R = TypeVar("R")
Operation = Callable[Concatenate[Tensor, P], R]


def formulated(
    kind: str, neutral: str, *, facts: Facts = no_facts, applies: Applies = always, is_tuned: bool = True
) -> Callable[[Operation[P, R]], Operation[P, R]]:
    """Declares a function as the neutral form of a new kind; calling it then builds the form that is chosen.

    facts: a function of the same arguments that gives the numbers which the table asks for. applies: where even the
    neutral form cannot be; there it is the first other one that can. is_tuned: whether `trtnet tune` chooses a form.
    """

    def decorate(function: Operation[P, R]) -> Operation[P, R]:
        made = declare(kind, neutral, function, facts, applies, is_tuned=is_tuned)

        @wraps(function)
        def chosen(x: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            result: R = _choose(made, x, *args, **kwargs).build(x, *args, **kwargs)
            return result

        return chosen

    return decorate


def _choose(kind: Kind, x: Tensor, *args: object, **kwargs: object) -> Form:
    """The form for an operation of the module being called, which is noted."""
    network = x.network
    choices, path = network.forms, network.path

    def can(form: Form) -> bool:
        return (choices.approximations or not form.approximate) and form.applies(x, *args, **kwargs)

    facts = kind.facts(x, *args, **kwargs)
    asked = choices.at(kind.name, path)
    form = kind.forms[asked.form if asked else _fastest(choices, kind.name, x.dtype, facts)]
    by = asked.by if asked else NEUTRAL if form is kind.neutral else TABLE
    fits = can(form)
    if asked:
        (choices.use if fits or form is kind.neutral else choices.refuse)(asked)
    if not fits:
        form, by = next(form for form in kind.forms.values() if can(form)), NEUTRAL
    choices.note(kind.name, path, form.name, by, OperationFacts(x.dtype.name, facts))
    return form


def _fastest(choices: FormChoices, kind: str, dtype: DType, facts: dict[str, int]) -> str:
    return fastest(kind, backend.name(), backend.version(), choices.targets, dtype, facts) or FORMS[kind][0]


def check_forms(forms: Forms, source: str = USER, *, approximations: bool = False) -> None:
    """Raises ModelError for an unknown kind or form, and for an approximation that was not admitted.

    source: who gave them.
    """
    for kind, chosen in forms.items():
        if kind not in FORMS:
            near = did_you_mean(str(kind), FORMS)
            known = f"{near + ' There' if near else 'there'} are {_known()}"
            raise ModelError(f"{_of(source)}: there is no kind {kind!r}; {known}")
        if not isinstance(chosen, str | Mapping):
            expected = "a form, or a dict of module paths to forms"
            raise ModelError(f"{_of(source)}: {kind} is {expected}; found {chosen!r}")
        for pattern, name in ({WHOLE: chosen} if isinstance(chosen, str) else chosen).items():
            if not (isinstance(pattern, str) and isinstance(name, str)):
                expected = "texts, such as {'layer1.*': 'layer'}"
                raise ModelError(f"{_of(source)}: module paths and forms of {kind} are {expected}; found {chosen!r}")
            _check_form(kind, name, source, approximations)


def _check_form(kind: str, name: str, source: str, approximations: bool) -> None:
    other = APPROXIMATIONS.get(kind, ())
    if name in other and not approximations:
        raise ModelError(
            f"{_of(source)}: {name!r} of {kind!r} is an approximation, another function than {FORMS[kind][0]!r}:"
            f" define(approximations=True), or --approximations, allows it"
        )
    if name not in (*FORMS[kind], *other):
        near = did_you_mean(name, (*FORMS[kind], *other))
        there = f"{kind}: {' or '.join(FORMS[kind])}"
        raise ModelError(f"{_of(source)}: there is no form {name!r} of {kind!r}; {near + ' ' if near else ''}{there}")


def _of(source: str) -> str:
    """Of which forms a message is: `forms`, or those of a file."""
    return "forms" if source == USER else f"forms of {source}"


def _known() -> str:
    return "; ".join(f"{kind}: {' or '.join(names)}" for kind, names in sorted(FORMS.items()))


def check_used(choices: FormChoices) -> None:
    """Raises ModelError for choices that decided nothing; for a kind that the whole network lacks, it is logged."""
    kinds = sorted({kind for kinds in choices.chosen.values() for kind in kinds})
    found = f"there are choices of {', '.join(kinds)}" if kinds else "there is nothing to choose in it"
    for choice in choices.unused():
        if choices.was_refused(choice):
            where = KINDS[choice.kind].forms[choice.form].where
            whom = "the network" if choice.is_whole else repr(choice.pattern)
            text = f"{choice.form!r} of {choice.kind!r} applies to no operation of {whom}: it applies {where}"
            raise ModelError(f"{_of(choice.source)}: {text}")
        if choice.is_whole:
            log.warning("forms: the network has no operation of the kind %r; %s", choice.kind, found)
            continue
        modules = [path for path, chosen in choices.chosen.items() if choice.kind in chosen]
        near = _near(choice.pattern, modules) or (f"it is in {_some(modules)}" if modules else found)
        text = f"no module {choice.pattern!r} has an operation of the kind {choice.kind!r}; {near}"
        raise ModelError(f"{_of(choice.source)}: {text}")


def _near(pattern: str, modules: list[str]) -> str:
    """What may be meant by a pattern that fits no module: those inside, of a module that has none itself."""
    inside = f"{pattern}.*"
    return f"{inside!r} has" if any(fnmatchcase(path, inside) for path in modules) else did_you_mean(pattern, modules)


def _some(modules: list[str]) -> str:
    shown = ", ".join(repr(path) for path in modules[:4])
    return f"{shown} and {len(modules) - 4} more" if len(modules) > 4 else shown
