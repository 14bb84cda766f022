"""Where an inference spends its time: by layer, and by module of the model."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from trtnet.runtime.profiling import LayerTimes
from trtnet.tools.inspect.engine import EngineDescription

MODEL = "(model)"
"""What stands for the path of the model itself."""
OTHER = "(other)"
"""What stands for layers that TensorRT added, or whose module is not known."""
NAMED = 3
"""So many modules of a fused layer are named; of more, the module that holds them all."""

_OURS = re.compile(r"([\w.\-]+)/\w[\w.]*")


@dataclass(frozen=True)
class Row:
    """A layer or module over all executions, as trtexec lists it: milliseconds, and the percentage of the sum.

    average_ms: an execution. modules: those that a layer comes from, or the one that a row of modules is of.
    """

    name: str
    modules: tuple[str, ...]
    time_ms: float
    average_ms: float
    median_ms: float
    percentage: float


@dataclass(frozen=True)
class Profile:
    """The layers in the order of execution. executions: how many were measured."""

    executions: int
    layers: tuple[Row, ...]
    times: tuple[LayerTimes, ...]

    @property
    def total_ms(self) -> float:
        return sum(row.time_ms for row in self.layers)

    def by_module(self, depth: int) -> tuple[Row, ...]:
        """A row a module at most so deep in the tree, in the order of execution.

        A layer that several modules were fused into is a row with their names, or of the innermost module that holds
        them all if they are more than three.
        """
        groups: dict[str, list[LayerTimes]] = {}
        for row, times in zip(self.layers, self.times, strict=True):
            groups.setdefault(label(row.modules, depth), []).append(times)
        return tuple(
            _row(name, (name,), _together(members), self.executions, self.total_ms) for name, members in groups.items()
        )


def profile(times: Sequence[LayerTimes], executions: int, description: EngineDescription | None) -> Profile:
    """description: what the engine's inspector says, by which layers find their modules; else their names tell."""
    known = {one.name: one.modules for one in description.layers} if description else {}
    total = sum(sum(one.times) for one in times)
    rows = (_row(one.name, modules_of(one.name, known), one.times, executions, total) for one in times)
    return Profile(executions, tuple(rows), tuple(times))


def modules_of(name: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The modules of an engine's layer: as it is known, or read out of the names of the network's layers in its own."""
    return known.get(name) or tuple(dict.fromkeys(_OURS.findall(name)))


def label(modules: Sequence[str], depth: int) -> str:
    """What a layer counts for at a depth of the module tree: ``layer1.0``, or ``conv1 + bn1``."""
    if not modules:
        return OTHER
    cut = dict.fromkeys(".".join(module.split(".")[:depth]) for module in modules)
    innermost = [path for path in cut if not any(_inside(other, path) for other in cut)]
    if len(innermost) > NAMED:
        innermost = [_common(innermost)]
    return " + ".join(path or MODEL for path in innermost)


def _inside(path: str, outer: str) -> bool:
    """Whether a module lies in another one."""
    return path != outer and (outer == "" or path.startswith(outer + "."))


def _common(paths: Sequence[str]) -> str:
    """The innermost module that holds all of them."""
    parts = []
    for names in zip(*(path.split(".") for path in paths), strict=False):
        if len(set(names)) > 1:
            break
        parts.append(names[0])
    return ".".join(parts)


def _together(layers: Sequence[LayerTimes]) -> tuple[float, ...]:
    """The times of several layers, execution by execution."""
    return tuple(map(sum, zip_longest(*(one.times for one in layers), fillvalue=0.0)))


def _row(name: str, modules: tuple[str, ...], times: Sequence[float], executions: int, total: float) -> Row:
    time = sum(times)
    return Row(name, modules, time, time / executions, statistics.median(times), 100 * time / total if total else 0.0)
