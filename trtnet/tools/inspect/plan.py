"""`trtnet inspect` of an engine's file: what its sidecar says, and the layers where a GPU loads it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trtnet.builder.plan import MAGIC, Plan, PlanInfo, Sidecar, begins, read_sidecar, sidecar_path
from trtnet.checkpoint.formats.sniffing import sniff
from trtnet.runtime import Engine
from trtnet.support import backend, json_text
from trtnet.support.errors import CheckpointError, DeviceError, PlanError
from trtnet.tools.inspect import engine as inspect_engine, forms as inspect_forms
from trtnet.tools.inspect.engine import EngineDescription
from trtnet.tools.quantities import quantity

PLANS = (".engine", ".plan", ".trt")
"""What the names of plan files end in."""


@dataclass(frozen=True)
class EngineFile:
    """An engine as far as it is known here.

    sidecar: None for an engine of another tool. layers, memory: what TensorRT says of the loaded engine, None where it
    was not loaded, as `unknown` says.
    """

    name: str
    sidecar: Sidecar | None
    layers: EngineDescription | None = None
    memory: dict[str, int] | None = None
    unknown: str = ""


def read_engine(path: Path) -> EngineFile:
    """An engine, its layers too where it loads.

    Raises PlanError for a file that is not the sidecar's, for one without a sidecar where there is no GPU, and what
    loading raises.
    """
    beside = sidecar_path(path)
    if not beside.exists():
        return _without_sidecar(path)
    engine = Engine.load(path)
    sidecar = read_sidecar(beside)
    try:
        return of_engine(str(path), sidecar, engine)
    except (DeviceError, PlanError) as error:  # no GPU, or not this one, another TensorRT's plan, one without weights
        return EngineFile(str(path), sidecar, unknown=f"its layers are not known here: {error}")


def read_document(path: Path) -> EngineFile:
    """A JSON file: an engine's sidecar, or what TensorRT's engine inspector wrote. Raises PlanError for another."""
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise PlanError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if _is_sidecar(text):
        plan = str(path).removesuffix(".json")
        return EngineFile(str(path), read_sidecar(path), unknown=f"its layers are in the engine, {plan}")
    if '"Layers"' not in text:
        raise PlanError(
            f"{path} is neither an engine's sidecar, x.engine.json, nor what TensorRT's engine inspector writes, JSON"
            f' with "Layers": {begins(text)}'
        )
    try:
        return EngineFile(str(path), None, inspect_engine.parse(text))
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def of_engine(name: str, sidecar: Sidecar | None, engine: Engine) -> EngineFile:
    """What TensorRT says of an engine that it loads. Raises what :meth:`Engine.inspect` raises, and PlanError."""
    found = engine.inspect()
    return EngineFile(name, sidecar, inspect_engine.parse(found.layers), found.memory)


def render(engine: EngineFile) -> RenderableType:
    """The engine, to read."""
    parts: list[RenderableType] = []
    if engine.sidecar:
        parts.append(_table(engine.name, engine.sidecar))
        forms = inspect_forms.render(engine.sidecar.info.forms, engine.sidecar.info.forms_by)
        parts += [forms] if forms else []
    if engine.layers:
        parts.append(inspect_engine.render(engine.layers, engine.memory))
    return Group(*parts, Text(engine.unknown)) if engine.unknown else Group(*parts)


def to_json(engine: EngineFile) -> dict[str, Any]:
    """The engine, for a program; "layers" is None where TensorRT was not asked, for the reason in "unknown"."""
    return {
        "name": engine.name,
        "sidecar": asdict(engine.sidecar) if engine.sidecar else None,
        "engine": inspect_engine.to_json(engine.layers) if engine.layers else None,
        "memory": engine.memory,
        "unknown": engine.unknown,
    }


def _without_sidecar(path: Path) -> EngineFile:
    """A plan that another tool wrote, as of the TensorRT in use."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(f"cannot read the engine {path}: {error.strerror or error}") from error
    plan = Plan(data, PlanInfo(backend.name(), backend.version(), (), (), ()))
    try:
        return of_engine(str(path), None, Engine(plan))
    except DeviceError as error:
        if data[1:4] != MAGIC:
            raise PlanError(f"{path} is not a plan of TensorRT: {_found(path, data)}") from error
        raise PlanError(
            f"{path} has no sidecar: {sidecar_path(path)} is missing. trtnet writes both, copy both; without it an"
            f" engine can be inspected on a GPU only: {error}"
        ) from error


def _found(path: Path, data: bytes) -> str:
    """What a file is that is no plan."""
    try:
        return f"it is a checkpoint ({sniff(path)}): trtnet weights ls {path} lists it"
    except CheckpointError:
        return begins(data)


def _is_sidecar(text: str) -> bool:
    try:
        document = json_text.loads(text)
    except ValueError:
        return False
    return isinstance(document, dict) and "sidecar" in document


def _table(name: str, sidecar: Sidecar) -> Table:
    info = sidecar.info
    table = Table(title=name, show_header=False)
    arguments = ", ".join(f"{key}={value}" for key, value in info.arguments.items())
    table.add_row("model", Text(f"{info.model}({arguments}) {info.dtype}"))
    for side, tensors in ("input", info.inputs), ("output", info.outputs):
        for tensor in tensors:
            table.add_row(side, Text(str(tensor)))
    for index, profile in enumerate(info.profiles):
        ranges = "\n".join(f"{key} {'  '.join(map(sizes_text, shapes))}" for key, shapes in profile.items())
        table.add_row(f"profile {index} (min, opt, max)", Text(ranges))
    table.add_row("built by", Text(f"{info.backend} {info.backend_version}, trtnet {info.trtnet_version}"))
    if {"", "float32"} & {info.dtype, *info.dtypes.values()}:
        said = {True: "TensorFloat-32", False: "float32", None: "not recorded"}[info.tf32]
        table.add_row("float32 products", Text(said))
    table.add_row("compiled for", Text(", ".join(info.compute_capabilities) or "what the backend decides"))
    table.add_row("plan", Text(f"{quantity(sidecar.plan_bytes, 'B')}, digest {sidecar.plan_digest[:16]}..."))
    table.add_row("weights", Text(_weights(info)))
    if info.quantization:
        counts = Counter(info.quantization.values()).most_common()
        table.add_row("quantized", Text("\n".join(f"{count:,} of {scheme}" for scheme, count in counts)))
    return table


def _weights(info: PlanInfo) -> str:
    digest = f"digest {info.checkpoint_digest[:16]}..." if info.checkpoint_digest else "no digest"
    held = "stripped from the plan, " if info.stripped else ""
    return f"{held}{digest}, {len(info.refittable) or 'none'} refittable"


def sizes_text(shape: tuple[int, ...]) -> str:
    """``8x1x28x28``."""
    return "x".join(map(str, shape)) or "scalar"
