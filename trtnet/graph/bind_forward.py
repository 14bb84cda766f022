"""Which input of a network is which argument of a model's ``forward``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from trtnet.graph.structures import nested
from trtnet.support.errors import ArgumentError
from trtnet.support.source import SourceLine, at

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def bound(forward: Callable[..., Any], inputs: Mapping[str, Any]) -> inspect.BoundArguments:
    """The arguments: by name if each input has the name of a parameter, else in order.

    Inputs of joined names (``images.0``, ``images.1``) are one argument, a list or a dict of them.
    Raises ArgumentError for inputs that do not fit, and for an order that contradicts the names.
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
    for name in named:
        if in_order.arguments.get(name) is not inputs[name]:
            text = f"{name} stands where another parameter is; name all inputs as the parameters, or order them so"
            raise ArgumentError(_message(forward, inputs, text))
    return in_order


def _message(forward: Callable[..., Any], inputs: Mapping[str, Any], reason: str) -> str:
    name = getattr(forward, "__qualname__", "forward")
    code = getattr(inspect.unwrap(forward), "__code__", None)
    line = None if code is None else SourceLine(code.co_filename, code.co_firstlineno)
    takes = ", ".join(inspect.signature(forward).parameters)
    return at(line, f"{name} takes ({takes}), the inputs are ({', '.join(inputs)}): {reason}")
