"""What there is to choose in a network: operations of one kind in equal surroundings are one group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from trtnet.definition import DefinedNetwork
from trtnet.graph import Parameter
from trtnet.graph.calls import Call
from trtnet.graph.layers.work import LayerWork, count
from trtnet.ops.formulations import APPROXIMATIONS, FORMS, KINDS
from trtnet.tools.tune.choices.parts import Part, is_at, part_around, place_of
from trtnet.tools.tune.searching.contests import Group

FLOPS_A_BYTE = 200
"""So many operations take as long as a byte on GPUs of today, for an estimate where nothing was measured."""


def groups_of(network: DefinedNetwork, approximations: bool = False) -> list[Group]:
    """The groups of a network with neutral forms, of kinds that have others, without times.

    approximations: whether forms that compute another function may be tried.
    """
    surroundings = Surroundings(network)
    together: dict[tuple[str, Any], list[tuple[Part, list[str]]]] = {}
    part_of = cache(lambda place: part_around(network.calls, place))
    for (kind, place), paths in _by_place(network).items():
        part = part_of(place)
        same = surroundings.of(part or (paths[0],), paths)
        together.setdefault((kind, same), []).append((part, paths))
    groups = [_group(kind, members, approximations) for (kind, _), members in together.items()]
    return [group for group in groups if group.forms]


def _by_place(network: DefinedNetwork) -> dict[tuple[str, str], list[str]]:
    """The modules of each kind of operation by the place that they are in."""
    found: dict[tuple[str, str], list[str]] = {}
    for path, kinds in network.forms.chosen.items():
        place = place_of(network.calls, path)
        for kind in kinds:
            if KINDS[kind].is_tuned:
                found.setdefault((kind, place), []).append(path)
    return found


def timed(groups: Iterable[Group], times: Mapping[str, float]) -> list[Group]:
    """Groups with what their modules take. times: milliseconds by module path."""

    def taken(group: Group) -> float:
        return sum(time for module, time in times.items() if any(is_at(module, path) for path in group.paths))

    return [replace(group, milliseconds=taken(group)) for group in groups]


def _group(kind: str, members: list[tuple[Part, list[str]]], approximations: bool) -> Group:
    part = members[0][0]
    paths = tuple(path for _, each in members for path in each)
    uncut = "" if part else "it belongs to the model itself, which has no smaller network"
    forms = FORMS[kind][1:] + (APPROXIMATIONS.get(kind, ()) if approximations else ())
    return Group(f"{kind}:{paths[0]}", kind, paths, 0.0, forms, part, uncut)


class Surroundings:
    """What is around operations: equal values for equal modules, whatever their place in the model."""

    def __init__(self, network: DefinedNetwork) -> None:
        self._calls = network.calls
        self._layers: dict[str, list[str]] = {}
        for index in range(network.trt.num_layers):
            layer = network.trt.get_layer(index)
            if layer.type.name == "CONSTANT":  # which equal modules share: the first one has it
                continue
            self._layers.setdefault(layer.name.rpartition("/")[0], []).append(layer.type.name)

    def of(self, part: Part, paths: list[str]) -> Any:
        """Of a part, and the modules in it that have the operations."""
        inside = tuple(_relative(path, part) for path in paths)
        return inside, tuple(each for call in self._calls for each in self._signature(call, part))

    def _signature(self, call: Call, part: Part) -> Iterator[Any]:
        if any(is_at(call.path, path) for path in part):
            weights = [tuple(each.shape) for _, each in call.module.members() if isinstance(each, Parameter)]
            tensors = tuple((tuple(map(str, x.shape)), x.dtype.name) for x in (*call.inputs, *call.outputs))
            layers = tuple(self._layers.get(call.path, ()))
            yield _relative(call.path, part), type(call.module).__name__, tensors, tuple(weights), layers


def _relative(path: str, part: Part) -> tuple[int, str]:
    """The place of a module within a part."""
    for index, outer in enumerate(part):
        if is_at(path, outer):
            return index, path[len(outer) :]
    return -1, path


def estimated(network: DefinedNetwork, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, float]:
    """What modules take, in no unit, by the operations and bytes of their layers."""
    times: dict[str, float] = {}
    for one in count(network.trt, shapes).layers:
        times[one.module] = times.get(one.module, 0.0) + _estimate(one)
    return times


def _estimate(one: LayerWork) -> float:
    return max(one.flops / FLOPS_A_BYTE, one.bytes_read + one.bytes_written)
