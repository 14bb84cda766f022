"""Executes a plan: layers, loops, conditionals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from trtnet.reference.refusal import explained
from trtnet.reference.schedule import ConditionalUnit, LayerUnit, LoopUnit, Schedule
from trtnet.reference.step import Step, WeightArrays, describe, storage, widen
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.errors import ExecutionError

Values = dict[Any, torch.Tensor]
PluginFunction = Callable[[trt.ILayer, list[torch.Tensor]], list[torch.Tensor]]
Observer = Callable[[trt.ILayer, list[torch.Tensor]], None]


class Execution:
    """How plans are executed. exact: floating values stay float32 between layers. observe: sees each layer's results,
    those in loops once an iteration.

    weights: arrays that TensorRT does not give back, by (layer name, attribute). plugin: what plugin layers compute.
    """

    def __init__(self, weights: WeightArrays, exact: bool, observe: Observer | None, plugin: PluginFunction) -> None:
        self.weights, self.exact, self.observe, self.plugin = weights, exact, observe, plugin

    def run(self, plan: Schedule, values: Values) -> None:
        """Adds to `values` what the plan computes, and drops what it needs no more."""
        spent = plan.spent or ((),) * len(plan.units)
        for unit, gone in zip(plan.units, spent, strict=True):
            if isinstance(unit, LayerUnit):
                self._layer(unit, values)
            elif isinstance(unit, LoopUnit):
                self._loop(unit, values)
            else:
                self._conditional(unit, values)
            for tensor in gone:
                del values[tensor]

    def stored(self, x: torch.Tensor, tensor: trt.ITensor, layer: trt.ILayer | None = None) -> torch.Tensor:
        """A value in the dtype its tensor has, after a check that it is what TensorRT expects there."""
        declared = dtypes.get(tensor.dtype)
        shape = tuple(tensor.shape)
        fits = len(shape) == x.ndim and all(n in (-1, size) for n, size in zip(shape, x.shape, strict=True))
        if layer is not None and not (fits and declared.is_floating == x.is_floating_point()):
            raise ExecutionError(
                f"{describe(layer)}: the reference computed {list(x.shape)} {dtypes.get(x.dtype)}, TensorRT declares"
                f" {list(shape)} {declared}"
            )
        if declared.is_floating and self.exact:
            return widen(x)
        return x.to(storage(declared))

    def _layer(self, unit: LayerUnit, values: Values) -> None:
        if unit.function is None:
            results = self.plugin(unit.layer, [values[x] for x in unit.inputs])
        else:
            wide = [None if x is None else widen(values[x]) for x in unit.arguments]
            with explained(unit.layer, {x: values[x] for x in unit.inputs}):
                results = unit.function(Step(unit.layer, wide, self.weights))
        self._keep(unit.layer, unit.outputs, results, values)

    def _keep(self, layer: trt.ILayer, outputs: tuple[Any, ...], results: list[torch.Tensor], values: Values) -> None:
        stored = [self.stored(x, tensor, layer) for x, tensor in zip(results, outputs, strict=True)]
        values.update(zip(outputs, stored, strict=True))
        if self.observe is not None:
            self.observe(layer, stored)

    def _loop(self, unit: LoopUnit, values: Values) -> None:
        outside = {x: values[x] for x in unit.inputs}
        state = {x.get_output(0): outside[x.get_input(0)] for x in unit.recurrences}
        collected: list[list[torch.Tensor]] = [[] for _ in unit.results]
        limit = _trips(unit, outside)
        iteration = 0
        while iteration < limit:
            inner = outside | state | {x.get_output(0): _slice(x, outside, iteration) for x in unit.iterators}
            self.run(unit.condition, inner)
            if not all(bool(inner[x.get_input(0)]) for x in unit.limits if x.kind.name == "WHILE"):
                break
            self._begin(unit, inner)
            self.run(unit.body, inner)
            for layer, values_of in zip(unit.results, collected, strict=True):
                values_of.append(inner[layer.get_input(0)])
            state = {x.get_output(0): inner[x.get_input(1)] for x in unit.recurrences}
            iteration += 1
        for layer, values_of in zip(unit.results, collected, strict=True):
            result = _loop_output(layer, outside | state, values_of)
            self._keep(layer, (layer.get_output(0),), [result], values)

    def _begin(self, unit: LoopUnit, inner: Values) -> None:
        """What an iteration begins with is seen: its slices, and what is carried."""
        if self.observe is not None:
            for layer in (*unit.iterators, *unit.recurrences):
                self.observe(layer, [inner[layer.get_output(0)]])

    def _conditional(self, unit: ConditionalUnit, values: Values) -> None:
        side = 0 if bool(values[unit.condition]) else 1
        inner = {x: values[x] for x in unit.inputs}
        self.run(unit.branches[side], inner)
        for layer in unit.results:
            self._keep(layer, (layer.get_output(0),), [inner[layer.get_input(side)]], values)


def _trips(unit: LoopUnit, outside: Mapping[Any, torch.Tensor]) -> float:
    counts = [int(outside[x.get_input(0)]) for x in unit.limits if x.kind.name == "COUNT"]
    return min(counts, default=float("inf"))


def _slice(iterator: trt.IIteratorLayer, outside: Mapping[Any, torch.Tensor], iteration: int) -> torch.Tensor:
    x = outside[iterator.get_input(0)]
    with explained(iterator, {iterator.get_input(0): x}):
        return x.select(iterator.axis, x.shape[iterator.axis] - 1 - iteration if iterator.reverse else iteration)


def _loop_output(
    layer: trt.ILoopOutputLayer, state: Mapping[Any, torch.Tensor], collected: list[torch.Tensor]
) -> torch.Tensor:
    """The last value, or the values of all iterations along an axis, zeros where there were fewer than its length."""
    if layer.kind.name == "LAST_VALUE":
        return state[layer.get_input(0)]
    length = int(state[layer.get_input(1)])
    if not collected:
        shape = [length if a == layer.axis else max(n, 0) for a, n in enumerate(layer.get_output(0).shape)]
        return torch.zeros(shape, dtype=storage(dtypes.get(layer.get_output(0).dtype)))
    values = collected[:length]
    values += [torch.zeros_like(values[0])] * (length - len(values))
    with explained(layer, {}):
        return torch.stack(values[::-1] if layer.kind.name == "REVERSE" else values, layer.axis)
