"""The engines of a row of the zoo, in files of a folder, and what is known of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from helpers.benchmarks import reason
from helpers.zoo.families import Family

import trtnet
from trtnet.graph.layers.work import count
from trtnet.ops.formulations import FORMS
from trtnet.support.files import atomic_write
from trtnet.tools.bench.gpus import GPUS
from trtnet.tools.bench.other_tools.onnx_route import exported, plan

ROUTES = ("trtnet", "neutral", "tuned", "onnx")
NEUTRAL = {kind: names[0] for kind, names in FORMS.items()}
PEAKS = GPUS["NVIDIA H200"]


def stem(name: str, batch: int) -> str:
    """Of the files of a row."""
    return f"{name.replace(':', '_')}_{batch}"


def engine_file(folder: Path, name: str, batch: int, route: str) -> Path:
    return folder / f"{stem(name, batch)}_{route}.engine"


def tuning_file(folder: Path, name: str, batch: int) -> Path:
    """What tuning.py writes."""
    return folder / f"{name.rpartition(':')[2]}_{batch}.tuning.json"


def routes(folder: Path, name: str, batch: int) -> list[str]:
    """Those that there are files for, or that need none."""
    return [route for route in ROUTES if route != "tuned" or tuning_file(folder, name, batch).exists()]


def facts(folder: Path, name: str, batch: int, route: str) -> dict[str, Any]:
    """What is known of an engine, or why there is none, as "skipped"."""
    file = engine_file(folder, name, batch, route).with_suffix(".facts.json")
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"skipped": "not built"}
    return found


def write_json(file: Path, value: Any) -> None:
    """Whole or not at all."""
    with atomic_write(file) as opened:
        opened.write(json.dumps(value, indent=1).encode() + b"\n")


def attempt(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a function returns; for one that raises, why, as "skipped": a row that fails is a row of the table."""
    try:
        with torch.inference_mode():
            return function()
    except Exception as error:
        return {"skipped": reason(error)}


def halves(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Floats as float16."""
    return [x.half() if x.is_floating_point() else x for x in inputs]


def build_row(folder: Path, made: Family, batch: int) -> None:
    """The engines of a row that are not there yet, with their kernels compiled where there is a GPU."""
    inputs = halves(made.inputs(batch))
    for route in routes(folder, made.name, batch):
        file = engine_file(folder, made.name, batch, route)
        if not file.with_suffix(".facts.json").exists():
            found = attempt(lambda r=route, f=file: _built(folder, made, batch, inputs, r, f))  # type: ignore[misc]
            write_json(file.with_suffix(".facts.json"), found)
            print(made.name, batch, route, found, flush=True)


def _built(
    folder: Path, made: Family, batch: int, inputs: Sequence[torch.Tensor], route: str, file: Path
) -> dict[str, Any]:
    began = time.perf_counter()
    if route == "onnx":  # the last route: the module is in float16 from here on
        from trtnet.reference.onnx import parse

        parsed = parse(exported(made.original.half(), inputs))
        found: dict[str, Any] = {"define": time.perf_counter() - began}
        names = (info.name for info in parsed.reference().inputs)
        built = plan(parsed, {name: tuple(x.shape) for name, x in zip(names, inputs, strict=True)})
    else:
        network = defined(made, inputs, route, tuning_file(folder, made.name, batch))
        if network is None:
            return {"skipped": "the measured forms are the neutral ones"}
        work = count(network.trt)
        floor = 1e3 * max(work.flops / PEAKS.flops["float16"], work.minimum_bytes / PEAKS.bandwidth)
        found = {"define": time.perf_counter() - began, "floor": floor, "layers": network.trt.num_layers}
        built = network.build().plan
    found["seconds"] = time.perf_counter() - began
    built.save(file)
    if torch.cuda.is_available():
        with trtnet.load(file) as engine:
            engine(*(x.cuda() for x in inputs))
    return found


def defined(made: Family, inputs: Sequence[torch.Tensor], route: str, tuning: Path) -> Any:
    """The network in float16; None for neutral forms where the others are the same."""
    if route == "tuned":
        return made.define(inputs, "float16", str(tuning))
    network = made.define(inputs, "float16")
    if route == "trtnet":
        return network
    used = {kind: name for kinds in network.describe().forms.values() for kind, name in kinds.items()}
    if all(FORMS[kind][0] == name for kind, name in used.items()):
        return None
    return made.define(inputs, "float16", {kind: NEUTRAL[kind] for kind in used})
