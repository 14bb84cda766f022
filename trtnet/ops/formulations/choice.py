"""The form of an operation: the user's, else the fastest as measured, else the neutral one."""

from __future__ import annotations

import logging

from trtnet.graph import OpenNetwork
from trtnet.graph.forms import FormChoices, Forms, OperationFacts
from trtnet.ops.formulations.kinds import FORMS
from trtnet.ops.formulations.measured import MEASURED
from trtnet.support import backend
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError

log = logging.getLogger("trtnet.definition")


def form(network: OpenNetwork, kind: str, dtype: DType | None = None, **facts: int) -> str:
    """The form of `kind` for an operation of the module being called.

    dtype: the operation's. facts: numbers that :data:`MEASURED` asks for.
    """
    name = network.forms.at(kind, network.path) or _fastest(kind, dtype, facts)
    network.forms.note(kind, network.path, name)
    network.forms.facts.setdefault((kind, network.path), []).append(
        OperationFacts("" if dtype is None else dtype.name, facts)
    )
    return name


def _fastest(kind: str, dtype: DType | None, facts: dict[str, int]) -> str:
    measured = MEASURED.get(backend.name(), {}).get(kind)
    return measured.form if measured is not None and measured.holds(dtype, facts) else FORMS[kind][0]


def check_forms(forms: Forms) -> None:
    """Raises ModelError for a kind or a form that there is not."""
    for kind, chosen in forms.items():
        for name in (chosen,) if isinstance(chosen, str) else chosen.values():
            if name not in FORMS.get(kind, ()):
                known = "; ".join(f"{kind}: {' or '.join(names)}" for kind, names in FORMS.items())
                raise ModelError(f"there is no form {name!r} of {kind!r}; there are {known}")


def check_used(choices: FormChoices) -> None:
    """Raises ModelError for modules without the operation that was chosen for them; of a whole network it is logged."""
    there = ", ".join(sorted({kind for kinds in choices.chosen.values() for kind in kinds}))
    found = f"there are choices of {there}" if there else "there is nothing to choose in it"
    for kind, pattern in choices.unused():
        if choices.is_by_module(kind):
            raise ModelError(f"forms: no module {pattern!r} has an operation of the kind {kind!r}; {found}")
        log.warning("forms: the network has no operation of the kind %r; %s", kind, found)
