"""`trtnet build`: an engine on disk, and what it took."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from trtnet.builder import BuildConfig, DimRange, PlanInfo
from trtnet.builder.plan import Plan
from trtnet.definition import DefinedNetwork
from trtnet.runtime import Engine
from trtnet.runtime.cuda.capability import compute_capability_here
from trtnet.support.errors import DeviceError, TrtnetError
from trtnet.support.text.counted import counted
from trtnet.tools.audit.audit import audit, recorded
from trtnet.tools.audit.report import render, to_json as audit_json


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
    network: DefinedNetwork,
    dims: Mapping[str, DimRange],
    config: BuildConfig,
    path: str | os.PathLike[str],
    audited: bool = False,
) -> BuildResult:
    """Builds and saves the engine. dims: sizes the network has made static already may be among them.

    audited: ask the engine in which dtypes it computes, and note it in the sidecar. Raises what building raises, and
    DeviceError for an audit without a GPU, before the build.
    """
    if audited and not compute_capability_here():
        raise DeviceError(
            "--audit asks the engine what it computes, which needs a GPU: build without it, and run trtnet"
            f" audit {os.fspath(path)} where one is"
        )
    start = time.perf_counter()
    engine = network.build({name: size for name, size in dims.items() if name in network.dims}, config)
    seconds = time.perf_counter() - start
    plan = _audited(engine, path) if audited else engine.plan
    plan.save(path)
    return BuildResult(
        os.fspath(path), network.checkpoint.name, len(plan.data), network.trt.num_layers, seconds, plan.info
    )


def _audited(engine: Engine, path: str | os.PathLike[str]) -> Plan:
    """The plan with its audit in the sidecar. An engine that cannot be audited is saved before the error."""
    try:
        found = audit(engine)
    except TrtnetError:
        engine.save(path)
        raise
    document = audit_json(replace(found, name=os.fspath(path)))
    return replace(engine.plan, info=replace(engine.info, audit=document))


def picture(result: BuildResult) -> RenderableType:
    """The result, to read, and the audit if there was one."""
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
    table.add_row("plan", f"{counted(result.bytes, 'byte')}, built in {result.seconds:.2f} s")
    return Group(table, render(recorded(info))) if info.audit else table


def to_json(result: BuildResult) -> dict[str, Any]:
    """The result, for a program."""
    return asdict(result)


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
