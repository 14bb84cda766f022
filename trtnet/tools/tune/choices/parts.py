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
SMALL = 8
"""A module with fewer calls is cut out with what is around it, which decides how its tensors lie in memory."""
BESIDE = 3
"""So many modules before another, and behind it, are cut out with it."""


def place_of(calls: Sequence[Call], path: str) -> str:
    """The module with other modules that an operation of the module at `path` is in, if it is small enough, else this.

    "" for an operation of the model itself.
    """
    if not path:
        return ""
    called = {call.path for call in calls}
    container = path if any(other != path and is_in(other, path) for other in called) else _parent(path, called)
    return container if container and _inside(calls, container) <= MOST_CALLS * len(calls) else path


def part_around(calls: Sequence[Call], place: str) -> Part:
    """What is cut out for a place: the module, with its surroundings if it is small; nothing for the model itself.

    Of a module without other modules, the row that it is in.
    """
    if not place:
        return ()
    if _inside(calls, place) == 1:
        return _row(calls, place)
    called = {call.path for call in calls}
    while _inside(calls, place) < SMALL and (outer := _parent(place, called)):
        if _inside(calls, outer) > MOST_CALLS * len(calls):
            break
        place = outer
    return (place,)


def _inside(calls: Sequence[Call], path: str) -> int:
    return sum(is_in(call.path, path) for call in calls)


def cut(network: DefinedNetwork, part: Part, dtype: DTypes | None = None, forms: FormChoices | None = None) -> Alone:
    """The part as a network of its own, with the network's forms or others.

    Raises ModelError for a module that is not called, and what `alone` raises.
    """
    first = _first(network.calls, part[0])
    modules: Mapping[str, Module] = {path: module for module, path in network.modules.items()}
    return alone(network, first, dtype, [modules[path] for path in part[1:]], forms)


def _row(calls: Sequence[Call], path: str) -> Part:
    """A module and those beside it that take nothing but the result of the one before, as long as they are few."""
    found = [_first(calls, path)]

    def is_small(another: Call) -> bool:
        return sum(_inside(calls, call.path) for call in (*found, another)) <= MOST_CALLS * len(calls)

    for _ in range(BESIDE):
        before = next((call for call in calls if _follows(found[0], call)), None)
        if before and before is _first(calls, before.path) and is_small(before):
            found.insert(0, before)
    for _ in range(BESIDE):
        behind = next((call for call in calls if _follows(call, found[-1]) and call not in found), None)
        if behind and is_small(behind):
            found.append(behind)
    return tuple(call.path for call in found)


def _first(calls: Sequence[Call], path: str) -> Call:
    """The call that a part begins with, of a module that is called several times. Raises ModelError if it never is."""
    first = next((call for call in calls if call.path == path), None)
    if first is None:
        raise ModelError(f"{path} is not called")
    return first


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
