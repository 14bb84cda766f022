"""What the process of a GPU does: times engines in turns, and tells how far their results are from float32's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from trtnet.builder import Plan
from trtnet.runtime import Engine, load
from trtnet.runtime.loaded.load_plan import Opener, open_engine
from trtnet.support.errors import TrtnetError
from trtnet.tools.bench.findings import profiled
from trtnet.tools.tune.choices.parts import Part
from trtnet.tools.tune.processes.repeated import Repeated
from trtnet.tools.tune.processes.workplace import Arrays, Workplace
from trtnet.tools.tune.searching.contests import Measured, Outcome
from trtnet.verify.metrics.array_metrics import relative_l2

ROUNDS = 25
"""Samples of each variant."""


@dataclass(frozen=True)
class Timing:
    """Times variants of a part, or of the whole network, in turns: A B C A B C.

    numbers: of their plans; those that fail are said to.
    """

    numbers: tuple[int, ...]
    part: Part
    rounds: int = ROUNDS

    def run(self, place: Workplace, device: int, opener: Opener = open_engine) -> Outcome:
        """What was measured of each, in their order."""
        expected, inputs = place.outputs(self.part), dict[str, Any]()
        found: dict[int, Measured] = {}
        ready: dict[int, Repeated] = {}
        with ExitStack() as stack:
            for number in self.numbers:
                try:
                    file = place.plan(number)
                    engine = stack.enter_context(Engine(Plan.load(file), opener, file, device))
                    inputs = inputs or place.inputs(self.part, engine.inputs)  # the same for all
                    ready[number] = Repeated(engine.open(), inputs)
                    stack.callback(ready[number].close)
                except TrtnetError as error:
                    found[number] = Measured(failed=str(error))
            times = in_turns(list(ready.values()), self.rounds)
            for (number, each), measured in zip(ready.items(), times, strict=True):
                found[number] = Measured(measured, error_of(each.outputs, expected))
        return tuple(found[number] for number in self.numbers)


def in_turns(ready: Sequence[Repeated], rounds: int) -> list[tuple[float, ...]]:
    """The samples of each: in every round one of all, so that what changes on the GPU changes all."""
    samples = [[each.sample() for each in ready] for _ in range(rounds)]
    return [tuple(one[index] for one in samples) for index in range(len(ready))]


def error_of(found: Arrays, expected: Arrays) -> float:
    """The largest relative L2 of an output."""
    return max(relative_l2(found[name], expected[name]) for name in expected)


@dataclass(frozen=True)
class Profile:
    """The times of an engine's modules by TensorRT's profiler: milliseconds an execution, by path.

    A layer of several modules is shared out to them. Empty where TensorRT reports no layers.
    """

    number: int

    def run(self, place: Workplace, device: int) -> dict[str, float]:
        """Raises as a call of the engine."""
        times: dict[str, float] = {}
        with load(place.plan(self.number), device=device) as engine:
            found = profiled(engine, place.inputs((), engine.inputs), None)
        for row in found.layers:
            for module in row.modules:
                times[module] = times.get(module, 0.0) + row.average_ms / len(row.modules)
        return times
