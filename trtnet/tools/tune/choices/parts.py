"""Small networks that are cut out of a large one: a module, or a row of modules, around an operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtnet.definition import DefinedNetwork, DTypes
from trtnet.graph.calls import Call
from trtnet.graph.forms import FormChoices
from trtnet.graph.place import is_in
from trtnet.nn import Module
from trtnet.support.errors import ModelError
from trtnet.verify.bisection.isolate import Alone, alone

Part = tuple[str, ...]
"""The paths of modules that are called one after another, each with the result of the one before."""
MOST_CALLS = 0.25
"""The share of a model's calls that a small network has at most."""
MOST_MODULES = 4
"""So many modules that follow each other are cut out together."""


def part_around(calls: Sequence[Call], path: str) -> Part:
    """The module with other modules that an operation of the module at `path` is in, if it is small enough.

    Else that module and those which take its result, one after another, beside it. Nothing for an operation of the
    model itself.
    """
    if not path:
        return ()
    called = {call.path for call in calls}
    container = path if any(other != path and is_in(other, path) for other in called) else _parent(path, called)
    inside = sum(is_in(call.path, container) for call in calls)
    if container and inside <= MOST_CALLS * len(calls):
        return (container,)
    return _row(calls, path)


def cut(network: DefinedNetwork, part: Part, dtype: DTypes | None = None, forms: FormChoices | None = None) -> Alone:
    """The part as a network of its own, with the network's forms or others.

    Raises ModelError for a module that is not called, and what `alone` raises.
    """
    first = next((call for call in network.calls if call.path == part[0]), None)
    if first is None:
        raise ModelError(f"{part[0]} is not called")
    modules: Mapping[str, Module] = {path: module for module, path in network.modules.items()}
    return alone(network, first, dtype, [modules[path] for path in part[1:]], forms)


def _row(calls: Sequence[Call], path: str) -> Part:
    """A module and those beside it that take nothing but the result of the one before."""
    found = [next(call for call in calls if call.path == path)]
    while len(found) < MOST_MODULES:
        following = next((call for call in calls if _follows(call, found[-1]) and call not in found), None)
        if following is None:
            break
        found.append(following)
    return tuple(call.path for call in found)


def _follows(call: Call, before: Call) -> bool:
    if len(before.outputs) != 1 or len(call.args) != 1 or call.kwargs or len(call.inputs) != 1:
        return False
    beside = call.path.rpartition(".")[0] == before.path.rpartition(".")[0] and call.path
    return bool(beside) and call.inputs[0].current is before.outputs[0].current


def _parent(path: str, called: set[str]) -> str:
    """The innermost module around another that is called itself."""
    while path:
        path = path.rpartition(".")[0]
        if path in called:
            break
    return path


def is_at(path: str, outer: str) -> bool:
    """Whether a module is another one or in it; "" is the model's own code alone."""
    return is_in(path, outer) if outer else path == outer
