"""Which input of a network is which argument of a model's ``forward``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from trtnet.graph.structures import nested
from trtnet.support.errors import ArgumentError
from trtnet.support.source import SourceLine, at
from trtnet.support.text.did_you_mean import did_you_mean

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
GIVEN = (inspect.Parameter.POSITIONAL_ONLY, *NAMED)


def bound(forward: Callable[..., Any], inputs: Mapping[str, Any]) -> inspect.BoundArguments:
    """The arguments: by name if each input has the name of a parameter, in order if none has.

    Inputs of joined names (``images.0``, ``images.1``) are one argument, a list or a dict of them.
    Raises ArgumentError for inputs that do not fit: one without a parameter of its name beside others that have one, or
    whose name is nearly that of a parameter.
    """
    signature = inspect.signature(forward)
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds.values()
    names = {name for name, kind in kinds.items() if kind in NAMED}
    inputs = nested(inputs, {name.split(".")[0] for name in inputs} if takes_any else names)
    named = [name for name in inputs if name in names]
    try:
        if len(named) == len(inputs) or (takes_any and not names):
            return signature.bind(**inputs)
        in_order = signature.bind(*inputs.values())
    except TypeError as error:
        raise ArgumentError(_message(forward, inputs, str(error))) from error
    if inspect.Parameter.VAR_POSITIONAL not in kinds.values():
        _check_names(forward, inputs, names)
    return in_order


def required(forward: Callable[..., Any]) -> list[str]:
    """The names of the parameters that a call must give; none where the code says no names."""
    parameters = inspect.signature(forward).parameters.values()
    return [each.name for each in parameters if each.kind in GIVEN and each.default is inspect.Parameter.empty]


def _check_names(forward: Callable[..., Any], inputs: Mapping[str, Any], names: set[str]) -> None:
    """Raises ArgumentError for inputs in order whose names say that they were meant by name."""
    for name in inputs:
        left = sorted(names - set(inputs))
        is_misspelt = bool(get_close_matches(name, left, cutoff=0.75))
        if name not in names and (is_misspelt or names & set(inputs)):
            near = did_you_mean(name, left)
            text = f"{name} is the name of no parameter{f'; {near}' if near else '.'}"
            raise ArgumentError(
                _message(forward, inputs, f"{text} Name all inputs as the parameters, or none, to give them in order")
            )


def _message(forward: Callable[..., Any], inputs: Mapping[str, Any], reason: str) -> str:
    name = getattr(forward, "__qualname__", "forward")
    code = getattr(inspect.unwrap(forward), "__code__", None)
    line = None if code is None else SourceLine(code.co_filename, code.co_firstlineno)
    takes = ", ".join(inspect.signature(forward).parameters)
    return at(line, f"{name} takes ({takes}), the inputs are ({', '.join(inputs)}): {reason}")
