"""`trtnet build`: an engine on disk, and what it took."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from trtnet.builder import BuildConfig, DimRange, PlanInfo
from trtnet.definition import DefinedNetwork


@dataclass(frozen=True)
class BuildResult:
    """What was built. weights: where they are from. bytes: of the plan. seconds: of the build alone."""

    path: str
    weights: str
    bytes: int
    layers: int
    seconds: float
    info: PlanInfo


def build_engine(
    network: DefinedNetwork, dims: Mapping[str, DimRange], config: BuildConfig, path: str | os.PathLike[str]
) -> BuildResult:
    """Builds and saves the engine. dims: sizes the network has made static already may be among them."""
    start = time.perf_counter()
    engine = network.build({name: size for name, size in dims.items() if name in network.dims}, config)
    seconds = time.perf_counter() - start
    engine.save(path)
    return BuildResult(
        os.fspath(path), network.checkpoint.name, len(engine.plan.data), network.trt.num_layers, seconds, engine.info
    )


def picture(result: BuildResult) -> Table:
    """The result, to read."""
    info = result.info
    table = Table(title=result.path, show_header=False)
    table.add_row("model", f"{info.model} {info.dtype}")
    table.add_row("weights", result.weights)
    for tensor in info.inputs:
        table.add_row("input", str(tensor))
    for tensor in info.outputs:
        table.add_row("output", str(tensor))
    for profile in info.profiles:
        ranges = "; ".join(f"{name} {'  '.join(map(_text, shapes))}" for name, shapes in profile.items())
        table.add_row("profile (min, opt, max)", ranges)
    table.add_row("backend", f"{info.backend} {info.backend_version}")
    table.add_row("layers", f"{result.layers:,}")
    table.add_row("plan", f"{result.bytes:,} bytes, built in {result.seconds:.2f} s")
    return table


def to_json(result: BuildResult) -> dict[str, Any]:
    """The result, for a program."""
    return asdict(result)


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
