"""What comes of a case: its static definition and its dynamic one, at two sizes, beside torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from ops.searching.case import Case
from ops.searching.judging import difference
from ops.searching.running import FILE, GENERATOR_FAULTS, by_reference, define, moved, oracle, torch_model

from trtnet.definition import DefinedNetwork
from trtnet.support.errors import InputError, LayerError, ModelError

EQUAL, BOTH, ALONE, ACCEPTED, DIFFERENT, CRASHED = OUTCOMES = (
    "equal", "refused by both", "refused by trtnet alone", "accepted by trtnet alone", "different", "crashed",
)  # fmt: skip
FAULTS = (DIFFERENT, CRASHED)
EMPTY = "no axis may be empty"
"""What calls of networks say of inputs without elements."""
NOT_FOR = "the network is not for that"
"""What they say of sizes that its operations do not take."""


@dataclass(frozen=True)
class Outcome:
    """kind: one of OUTCOMES. detail: what was wrong, or the first line of the refusal. where: static, dynamic or
    other sizes."""

    kind: str
    detail: str = ""
    where: str = ""

    @property
    def key(self) -> str:
        """What is the same for findings of one sort: no numbers, no names, no sizes."""
        text = re.sub(r"\([^()]*\)|\[[^\[\]]*\]|'[^']*'|\"[^\"]*\"", "_", self.detail)
        return f"{self.kind}: {re.sub(r'[-+]?[0-9][0-9.e]*|s[0-9]+', 'N', text)}"[:160]


def outcome(case: Case) -> Outcome:
    """The worst of what comes of a case."""
    try:
        model = torch_model(case)
        expected = oracle(case, model, case.inputs())
    except GENERATOR_FAULTS:
        raise
    except Exception as error:
        return _refused_by_torch(case, error)
    found = [_static(case, model, expected), *_dynamic(case, model, expected)]
    return max(found, key=lambda one: OUTCOMES.index(one.kind))


def _refused_by_torch(case: Case, error: Exception) -> Outcome:
    try:
        weights = torch_model(case)
    except Exception:
        weights = torch.nn.Module()
    found = _defined(case, weights, dynamic=False)
    if isinstance(found, Outcome):
        same = isinstance(error, TypeError) and "TypeError: " in found.detail  # arguments that no function has
        return found if found.kind == CRASHED and not same else Outcome(BOTH, found.detail)
    try:
        by_reference(case, found, case.inputs())
    except Exception as ours:
        return Outcome(BOTH, str(ours).splitlines()[0])
    return Outcome(ACCEPTED, f"torch: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def _defined(case: Case, weights: torch.nn.Module, *, dynamic: bool) -> DefinedNetwork | Outcome:
    where = "dynamic" if dynamic else "static"
    try:
        return define(case, weights, dynamic=dynamic)
    except (LayerError, ModelError) as error:
        if f"{FILE}:" not in str(error):
            return Outcome(CRASHED, f"no line of the user's: {_first_line(error)}", where)
        return Outcome(ALONE, _first_line(error), where)
    except AttributeError as error:
        if re.match(r"(trtnet\.\w+|a Tensor|an? \w+) has no '", str(error)):
            return Outcome(ALONE, _first_line(error), where)
        return Outcome(CRASHED, f"{type(error).__name__}: {_first_line(error)}", where)
    except Exception as error:
        return Outcome(CRASHED, f"{type(error).__name__}: {_first_line(error)}", where)


Expected = tuple[list[torch.Tensor], list[torch.Tensor] | None]


def _static(case: Case, model: torch.nn.Module, expected: Expected) -> Outcome:
    network = _defined(case, model, dynamic=False)
    return network if isinstance(network, Outcome) else _compared(case, network, case.inputs(), expected, "static")


def _dynamic(case: Case, model: torch.nn.Module, expected: Expected) -> Sequence[Outcome]:
    if not case.others:
        return []
    network = _defined(case, model, dynamic=True)
    if isinstance(network, Outcome):
        return [network]
    found = [_compared(case, network, case.inputs(), expected, "dynamic")]
    inputs = case.inputs(case.others)
    try:
        others = oracle(case, model, inputs)
    except Exception:  # the program's numbers fit its first sizes only
        return found
    return [*found, _compared(case, network, inputs, others, "other sizes")]


def _compared(
    case: Case, network: DefinedNetwork, inputs: list[torch.Tensor], expected: Expected, where: str
) -> Outcome:
    try:
        results = by_reference(case, network, inputs)
    except InputError as error:
        if EMPTY in str(error):
            return Outcome(ALONE, f"an input that has {EMPTY}", where)
        if NOT_FOR in str(error):
            return Outcome(ALONE, "sizes that the network says it is not for", where)
        return Outcome(CRASHED, f"running: {type(error).__name__}: {_first_line(error)}", where)
    except Exception as error:
        return Outcome(CRASHED, f"running: {type(error).__name__}: {_first_line(error)}", where)
    wrong = difference(results, *expected, exact=case.exact)
    if wrong == "values":
        wrong = difference(results, *expected, exact=case.exact, moved=moved(case, inputs))
    return Outcome(DIFFERENT, wrong, where) if wrong else Outcome(EQUAL)
