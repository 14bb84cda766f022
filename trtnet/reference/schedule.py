"""In which order a network's layers are executed, loops and conditionals as one step each.

A layer belongs to the loops and conditionals between whose boundaries it stands: its region. What a loop's body or a
branch needs from outside is computed before it; the rest is a plan of its own, executed once an iteration or once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from trtnet.graph.layers.kinds import KINDS, kind_of
from trtnet.reference.step import LayerFunction, describe
from trtnet.reference.table import COLLECTIVES, LAYERS, PLUGINS, REFUSED
from trtnet.support.backend import lookup, trt
from trtnet.support.errors import ExecutionError

Tensor = Any  # TensorRT's ITensor
Region = frozenset[Any]  # the loops and conditionals around a layer
T = TypeVar("T", bound=Hashable)
OPENS = tuple(kind.name for kind in KINDS.values() if kind.side == "opens")
CLOSES = tuple(kind.name for kind in KINDS.values() if kind.side == "closes")


@dataclass(frozen=True)
class LayerUnit:
    """One layer and its function; None for a plugin's, or a collective's."""

    layer: trt.ILayer
    function: LayerFunction | None
    arguments: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(x for x in self.arguments if x is not None)


@dataclass(frozen=True)
class LoopUnit:
    """A loop. condition: what WHILE limits need, before an iteration; body: the rest. inputs: all from outside."""

    limits: tuple[trt.ITripLimitLayer, ...]
    iterators: tuple[trt.IIteratorLayer, ...]
    recurrences: tuple[trt.IRecurrenceLayer, ...]
    results: tuple[trt.ILoopOutputLayer, ...]
    condition: Schedule
    body: Schedule
    inputs: tuple[Tensor, ...]

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return tuple(layer.get_output(0) for layer in self.results)


@dataclass(frozen=True)
class ConditionalUnit:
    """A conditional: its condition, and a plan for each branch. inputs: all from outside."""

    condition: Tensor
    results: tuple[trt.IIfConditionalOutputLayer, ...]
    branches: tuple[Schedule, Schedule]
    inputs: tuple[Tensor, ...]

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return tuple(layer.get_output(0) for layer in self.results)


Unit = LayerUnit | LoopUnit | ConditionalUnit


@dataclass(frozen=True)
class Schedule:
    """Units in order; `spent` are the tensors nobody needs after each."""

    units: tuple[Unit, ...]
    spent: tuple[tuple[Tensor, ...], ...] = field(default=())


def schedule(network: trt.INetworkDefinition, wanted: Sequence[Tensor]) -> Schedule:
    """The layers the outputs need, in an order of execution (TensorRT's own need not be one), and all assertions.

    Raises ExecutionError for a layer that the reference does not know.
    """
    plan = _Scheduler(network).plan(wanted, frozenset())
    return Schedule(plan.units, _spent(plan.units, set(wanted)))


def outermost(network: trt.INetworkDefinition, wanted: Sequence[Tensor]) -> set[str]:
    """The names of what layers outside of loops and conditionals give, of those that these tensors need."""
    units = schedule(network, wanted).units
    return {x.name for unit in units if isinstance(unit, LayerUnit) for x in unit.outputs}


class _Scheduler:
    def __init__(self, network: trt.INetworkDefinition) -> None:
        self.layers = [network.get_layer(i) for i in range(network.num_layers)]
        self.kinds = {id(layer): str(trt.ILayer.type.fget(layer).name) for layer in self.layers}
        self.boundaries: dict[Any, dict[str, list[trt.ILayer]]] = {}
        self.owner: dict[int, Any] = {}
        for layer in self.layers:
            self._classify(layer)
        self.producer = {layer.get_output(i): layer for layer in self.layers for i in range(layer.num_outputs)}
        self.region = self._regions()

    def _classify(self, layer: trt.ILayer) -> None:
        kind = self.kinds[id(layer)]
        row = kind_of(kind)
        if row.cls:
            layer.__class__ = lookup(row.cls)
        if row.boundary:
            owner = self.owner[id(layer)] = getattr(layer, row.boundary)
            self.boundaries.setdefault(owner, {}).setdefault(kind, []).append(layer)

    def _regions(self) -> dict[int, Region]:
        depends: dict[int, Region] = {}
        for layer in _postorder(self.layers, self._before, key=id):
            found = frozenset[Any]().union(*(depends[id(p)] for p in self._before(layer)))
            kind, owner = self.kinds[id(layer)], self.owner.get(id(layer))
            depends[id(layer)] = found | {owner} if kind in OPENS else found - {owner} if kind in CLOSES else found
        around = {self.owner[id(x)]: depends[id(x)] for x in self.layers if self.kinds[id(x)] in CLOSES}
        return {
            key: region.union(*(around.get(owner, frozenset()) for owner in region)) for key, region in depends.items()
        }

    def _before(self, layer: trt.ILayer) -> list[trt.ILayer]:
        """The layers whose regions decide this one's: those of its inputs; of its whole loop for a loop's output."""
        if self.kinds[id(layer)] in CLOSES:
            parts = [x for kind, of in self.boundaries[self.owner[id(layer)]].items() for x in of if kind not in CLOSES]
            return [*parts, *self._producers(x for part in (*parts, layer) for x in inputs_of(part))]
        first = inputs_of(layer)[:1] if self.kinds[id(layer)] == "RECURRENCE" else inputs_of(layer)
        return self._producers(first)

    def _producers(self, tensors: Iterable[Tensor | None]) -> list[trt.ILayer]:
        return [self.producer[x] for x in tensors if x is not None and x in self.producer]

    def plan(self, wanted: Iterable[Tensor | None], region: Region) -> Schedule:
        """The units of one region that the wanted tensors need, in order."""
        units: dict[Any, Unit] = {}

        def unit_of(tensor: Tensor | None) -> Any:
            layer = self.producer.get(tensor)
            if layer is None or self.region[id(layer)] != region:
                return None
            kind = self.kinds[id(layer)]
            if kind in ("ITERATOR", "RECURRENCE"):
                return None
            key = self.owner[id(layer)] if kind in CLOSES else layer
            if key not in units:
                units[key] = self._unit(key, kind, region)
            return key

        def needs(key: Any) -> list[Any]:
            return [k for k in map(unit_of, units[key].inputs) if k is not None]

        roots = [k for k in map(unit_of, wanted) if k is not None]
        for layer in self.layers:
            if self.kinds[id(layer)] == "ASSERTION" and self.region[id(layer)] == region:
                units[layer] = self._unit(layer, "ASSERTION", region)
                roots.append(layer)
        return Schedule(tuple(units[key] for key in _postorder(roots, needs, key=id)))

    def _unit(self, key: Any, kind: str, region: Region) -> Unit:
        if kind == "LOOP_OUTPUT":
            return self._loop(key, region)
        if kind == "CONDITIONAL_OUTPUT":
            return self._conditional(key, region)
        if kind not in LAYERS and kind not in (*PLUGINS, *COLLECTIVES):
            why = REFUSED.get(kind, "this trtnet does not know them")
            raise ExecutionError(f"{describe(key)}: the reference does not execute {kind} layers: {why}")
        outputs = tuple(key.get_output(i) for i in range(key.num_outputs))
        return LayerUnit(key, LAYERS.get(kind), tuple(inputs_of(key)), outputs)

    def _loop(self, loop: Any, region: Region) -> LoopUnit:
        parts = self.boundaries[loop]
        limits, iterators, recurrences, results = (
            tuple(parts.get(kind, ())) for kind in ("TRIP_LIMIT", "ITERATOR", "RECURRENCE", "LOOP_OUTPUT")
        )
        inner = region | {loop}
        tests = [x.get_input(0) for x in limits if x.kind.name == "WHILE"]
        ends = [*(x.get_input(1) for x in recurrences), *(x.get_input(0) for x in results)]
        condition = self.plan(tests, inner)
        done = set(condition.units)
        body = Schedule(tuple(unit for unit in self.plan(ends, inner).units if unit not in done))
        own = {x.get_output(0) for x in (*iterators, *recurrences)}
        read = [x.get_input(0) for x in (*limits, *iterators, *recurrences)]
        read += [*ends, *(x.get_input(1) for x in results if x.num_inputs > 1)]
        outside = _outside((*condition.units, *body.units), read, own)
        return LoopUnit(limits, iterators, recurrences, results, condition, body, outside)

    def _conditional(self, conditional: Any, region: Region) -> ConditionalUnit:
        parts = self.boundaries[conditional]
        results = tuple(parts["CONDITIONAL_OUTPUT"])
        test = parts["CONDITION"][0].get_input(0)
        sides = [[x.get_input(side) for x in results] for side in (0, 1)]
        branches = tuple(self.plan(side, region | {conditional}) for side in sides)
        units = tuple(unit for plan in branches for unit in plan.units)
        outside = _outside(units, [test, *sides[0], *sides[1]], set())
        return ConditionalUnit(test, results, (branches[0], branches[1]), outside)


def inputs_of(layer: trt.ILayer) -> list[Tensor | None]:
    """A layer's inputs; None for an optional one that is absent."""
    return [layer.get_input(i) for i in range(layer.num_inputs)]


def _outside(units: Sequence[Unit], read: Iterable[Tensor | None], own: set[Tensor]) -> tuple[Tensor, ...]:
    """What is read of a body and its boundaries, and not made there."""
    made = own.union(*(unit.outputs for unit in units))
    everything = [*read, *(x for unit in units for x in unit.inputs)]
    return tuple(dict.fromkeys(x for x in everything if x is not None and x not in made))


def _spent(units: Sequence[Unit], kept: set[Tensor]) -> tuple[tuple[Tensor, ...], ...]:
    last = {x: index for index, unit in enumerate(units) for x in (*unit.outputs, *unit.inputs)}
    spent: list[list[Tensor]] = [[] for _ in units]
    for tensor, index in last.items():
        if tensor not in kept:
            spent[index].append(tensor)
    return tuple(map(tuple, spent))


def _postorder(roots: Iterable[T], before: Callable[[T], Iterable[T]], key: Callable[[T], Hashable]) -> list[T]:
    """Each of the roots and what comes before them once, after what comes before it. Circles are cut anywhere."""
    order: list[T] = []
    begun: set[Hashable] = set()
    done: set[Hashable] = set()
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        item, expanded = stack.pop()
        if expanded:
            done.add(key(item))
            order.append(item)
        elif key(item) not in begun:
            begun.add(key(item))
            stack.append((item, True))
            stack += [(other, False) for other in reversed(list(before(item))) if key(other) not in begun]
    return order
