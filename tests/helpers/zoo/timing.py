"""A row of the zoo on a GPU: times and errors of all routes in one process, in turns; and where engines spend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from helpers.benchmarks import reason
from helpers.zoo import compiled
from helpers.zoo.engines import engine_file, facts, halves, routes
from helpers.zoo.families import Family, first

import trtnet
from trtnet.runtime import Engine
from trtnet.tools.bench.findings import profiled
from trtnet.tools.bench.other_tools.against import engine_call, in_turns, relative_l2
from trtnet.tools.bench.peaks import torch_times
from trtnet.tools.bench.profile import label
from trtnet.tools.bench.statistics import summarize
from trtnet.tools.inspect.engine import EngineLayer, parse

MOST_LAYERS = 24
"""So many layers of a profile are kept."""


def time_row(
    folder: Path, made: Family, batch: int, wait: Callable[[], None], rounds: int = 5, calls: int = 20
) -> dict[str, Any]:
    """Milliseconds and errors by route, and why routes are missing. wait: returns when it is this row's turn."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    inputs = [x.cuda() for x in halves(made.inputs(batch))]
    expected = first(made.original.cuda()(*(x.float() if x.is_floating_point() else x for x in inputs)))
    half = made.original.half()
    known = {route: facts(folder, made.name, batch, route) for route in routes(folder, made.name, batch)}
    skipped = {route: each["skipped"] for route, each in known.items() if "skipped" in each}
    calls_of: dict[str, Any] = {"eager": lambda: first(half(*inputs))}
    makers = {route: _maker(folder, made, batch, route, inputs) for route in known if route not in skipped}
    mode = compiled.state(folder, made.name, batch)
    if "skipped" in mode:
        skipped["compile"] = mode["skipped"]
    else:
        makers["compile"] = lambda: compiled.compiled(half, mode["mode"], inputs)
        plain = compiled.WITHOUT_GRAPHS[mode["mode"]]
        makers["graphed"] = lambda: compiled.captured(
            calls_of["compile"] if plain == mode["mode"] else compiled.compiled(half, plain, inputs)
        )
    for route, make in makers.items():
        try:
            calls_of[route] = make()
        except Exception as error:  # a route that fails is said in the row
            skipped[route] = reason(error)
    errors = {route: relative_l2(call().float(), expected) for route, call in calls_of.items()}
    wait()
    times = in_turns(calls_of, rounds, calls, torch_times)
    return {
        "floor": known["trtnet"].get("floor"), "skipped": skipped, "error": errors, "compiled": mode,
        "ms": {route: summarize(each).median for route, each in times.items()},
        "define": {route: each.get("define") for route, each in known.items()},
        "build": {route: each.get("seconds") for route, each in known.items()},
    }  # fmt: skip


def _maker(folder: Path, made: Family, batch: int, route: str, inputs: Sequence[torch.Tensor]) -> Any:
    def make() -> Any:
        engine = trtnet.load(engine_file(folder, made.name, batch, route))
        return engine_call(engine, by_name(engine, inputs))

    return make


def by_name(engine: Engine, inputs: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    return {info.name: x for info, x in zip(engine.inputs, inputs, strict=True)}


def profile_row(folder: Path, made: Family, batch: int, route: str, depth: int) -> dict[str, Any]:
    """Where an engine spends its time by TensorRT's profiler: its slowest layers, and sums by module and by kind."""
    inputs = halves(made.inputs(batch))
    with trtnet.load(engine_file(folder, made.name, batch, route)) as engine:
        found = profiled(engine, {info.name: x.numpy() for info, x in zip(engine.inputs, inputs, strict=True)}, None)
        known = {layer.name: layer for layer in parse(engine.inspect().layers).layers}
    layers = [
        {"name": row.name, "kind": kind_of(row.name, known.get(row.name)), "us": 1e3 * row.average_ms,
         "module": label(row.modules, 9), "shapes": _shapes(known.get(row.name))}
        for row in found.layers
    ]  # fmt: skip
    modules = [label(row.modules, depth) for row in found.layers]
    return {
        "us": sum(layer["us"] for layer in layers), "count": len(layers),
        "kinds": _summed(layers, [layer["kind"] for layer in layers]), "modules": _summed(layers, modules),
        "layers": sorted(layers, key=lambda layer: -layer["us"])[:MOST_LAYERS],
    }  # fmt: skip


def kind_of(name: str, layer: EngineLayer | None) -> str:
    """What an engine's layer does: TensorRT's type of it, and the operations that a fused kernel is named after."""
    words = re.fullmatch(r"_*myl_(\w+?)_myl\d+_\d+", name)
    return " ".join(filter(None, (layer.type if layer else "", words.group(1) if words else "")))


def _shapes(layer: EngineLayer | None) -> str:
    """``[32, 96, 112, 112] -> [32, 96, 56, 56]``."""
    if layer is None:
        return ""
    read, written = (", ".join(str(list(x.shape)) for x in each) for each in (layer.inputs, layer.outputs))
    return f"{read} -> {written}"


def _summed(layers: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Microseconds and how many layers by name, the largest first."""
    found: dict[str, dict[str, Any]] = {}
    for layer, name in zip(layers, names, strict=True):
        each = found.setdefault(name, {"name": name, "us": 0.0, "layers": 0})
        each["us"] += layer["us"]
        each["layers"] += 1
    return sorted(found.values(), key=lambda each: -each["us"])
