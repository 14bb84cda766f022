"""Names where two sides have their own: of arguments, of results, of outputs to compare."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from trtnet.graph.structures import by_names, nested
from trtnet.support.call_interface import is_torch
from trtnet.support.errors import InputError
from trtnet.verify.arrays.feeding import Notes

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
PLACED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


def by_name_or_position(
    signature: inspect.Signature, inputs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any], Notes]:
    """(positional arguments, keyword arguments, notes): by keyword if the parameters have the inputs' names.

    Inputs of joined names (``images.0``, ``images.1``) are one argument, a list or a dict of them.
    Raises InputError where neither fits.
    """
    parameters = signature.parameters.values()
    named = {p.name for p in parameters if p.kind in NAMED}
    any_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    inputs = nested(inputs, {name.split(".")[0] for name in inputs} if any_name else named)
    required = [p.name for p in parameters if p.kind in (*NAMED, *PLACED) and p.default is p.empty]
    if (any_name or set(inputs) <= named) and set(required) <= set(inputs):
        return [], dict(inputs), ()
    try:
        bound = signature.bind(*inputs.values())
    except TypeError as error:
        raise InputError(
            f"inputs {', '.join(inputs)} do not fit ({', '.join(map(str, parameters))}): {error}"
        ) from error
    pairs = [f"{ours} is its {theirs}" for ours, theirs in zip(inputs, bound.arguments, strict=False)]
    return list(inputs.values()), {}, (f"inputs by position: {', '.join(pairs)}",) if len(inputs) > 1 else ()


def flattened(result: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """(arrays of a result by name, the types of what is none by name). Raises ModelError for two of one name."""
    values = by_names(result)
    arrays = {name: value for name, value in values.items() if is_torch(value) or hasattr(value, "__array__")}
    return arrays, {name: type(value).__name__ for name, value in values.items() if name not in arrays}


def opened(value: Any) -> Any:
    """The fields of a dataclass by name; anything else as it is."""
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return {field.name: getattr(value, field.name) for field in fields(value)}


def paired(
    found: Sequence[str], expected: Sequence[str], chosen: Mapping[str, str] | None
) -> tuple[list[tuple[str, str]], Notes]:
    """(pairs of a found and an expected name, notes).

    chosen: expected name -> found name; then these alone. Otherwise those of the same name, if all that are expected
    are among those found; or by order, if no name is the same and the counts agree. Raises InputError for anything
    else: an expected output that is missing is never passed over.
    """
    for names, side in ((found, "found"), (expected, "expected")):
        if not names:
            raise InputError(f"no outputs are {side}: there is nothing to compare")
    if chosen is not None:
        if not chosen:
            raise InputError("outputs= names none: there is nothing to compare; without it, all are")
        _check_chosen(chosen, found, expected)
        return [(ours, theirs) for theirs, ours in chosen.items()], ()
    common = [name for name in expected if name in found]
    ours, theirs = ([name for name in names if name not in common] for names in (found, expected))
    if not theirs:
        return [(name, name) for name in common], tuple(_remarks(ours, common, [x for x in found if x in common]))
    if not common and len(found) == len(expected):
        pairs = list(zip(found, expected, strict=True))
        return pairs, (f"outputs by order: {', '.join(f'{a} against {b}' for a, b in pairs)}",)
    if not ours:
        raise InputError(
            f"outputs of the reference are missing: {', '.join(theirs)}; there are {', '.join(found)}. To compare only"
            f" some, {_choice(common[0], common[0])}"
        )
    raise InputError(
        f"which outputs belong together? There are {', '.join(found)}, expected are {', '.join(expected)};"
        f" {_choice(theirs[0], ours[0])}: the expected name, then the one to compare with it"
    )


def _remarks(more: Sequence[str], expected: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    if more:
        yield f"outputs not compared, as they are not expected: {', '.join(more)}"
    if list(expected) != list(found):
        yield f"outputs by name; their order is {', '.join(found)}, expected is {', '.join(expected)}"


def _choice(expected: str, found: str) -> str:
    return f"say outputs={{{expected!r}: {found!r}}} (--output {expected}={found}) for each"


def _check_chosen(chosen: Mapping[str, str], found: Sequence[str], expected: Sequence[str]) -> None:
    for theirs, ours in chosen.items():
        for name, names in ((theirs, expected), (ours, found)):
            if name not in names:
                raise InputError(f"outputs= names {name!r}; there are {', '.join(names)}")
