"""The plan file TensorRT reads, and the JSON sidecar that says what is in it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trtnet.builder import parallel_digest as pieces
from trtnet.support import json_text
from trtnet.support.call_interface import StateInfo, TensorInfo
from trtnet.support.errors import PlanError
from trtnet.support.files import atomic_write
from trtnet.support.text.counted import counted

SIDECAR_VERSION = 2
MAGIC = b"trt"
"""After the first byte of a plan: vtrt is TensorRT-RTX's, ftrt or ptrt TensorRT's."""

ShapeRange = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""The (min, opt, max) shape of one input in one optimization profile; of a shape input, its values."""


@dataclass(frozen=True)
class PlanInfo:
    """What the sidecar says of a plan.

    profiles: one dict an optimization profile, input name -> (min, opt, max) shapes; every input is listed, a
    static one with three equal shapes. compute_capabilities: the GPUs the plan was compiled for (``"8.6"``), empty
    where the backend decides. model, arguments: the factory and its arguments, for the record.
    dtype: of the model; dtypes: of modules with another dtype, by path. forms: the form of each kind of
    operation that a module has, by its path: see trtnet.ops.formulations. forms_by: who chose it: "user" (with a
    pattern), "table" (what was measured), "neutral" (nobody), or a file.
    checkpoint_digest: SHA-256 over the weights' names, shapes, dtypes and bytes. refittable: the checkpoint keys of the
    weights that Engine.refit replaces, empty if the engine was not built for it; folded: those folded into others.
    quantization: how parameters are quantized, by checkpoint key. stripped: whether the plan has no weights. tf32:
    whether float32 products may round to TensorFloat-32; None if the sidecar does not say. flops, minimum_bytes:
    of one inference at each profile's opt shapes, as counted by trtnet.graph.layers.work. audit: in which dtypes the
    engine computes, as ``trtnet build --audit`` found; empty where it was not asked. rank, ranks: which rank's part it
    is, of how many; divided: the axis of inputs and outputs of which each rank has a part, by name. states: the inputs
    that get what an output of the call before gave. float8_groups: whether it has float8 convolutions with groups.
    """

    backend: str
    backend_version: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    profiles: tuple[dict[str, ShapeRange], ...]
    compute_capabilities: tuple[str, ...] = ()
    model: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    dtype: str = ""
    checkpoint_digest: str = ""
    trtnet_version: str = ""
    refittable: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    stripped: bool = False
    dtypes: dict[str, str] = field(default_factory=dict)
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    forms_by: dict[str, dict[str, str]] = field(default_factory=dict)
    quantization: dict[str, str] = field(default_factory=dict)
    flops: tuple[int, ...] = ()
    minimum_bytes: tuple[int, ...] = ()
    tf32: bool | None = None
    audit: dict[str, Any] = field(default_factory=dict)
    rank: int = 0
    ranks: int = 1
    divided: dict[str, int] = field(default_factory=dict)
    states: tuple[StateInfo, ...] = ()
    float8_groups: bool = False


@dataclass(frozen=True)
class Plan:
    """A serialized engine and what is known of it."""

    data: bytes | memoryview = field(repr=False)
    info: PlanInfo

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `path` and `path`.json, each whole or not at all. Raises PlanError if the place cannot be written."""
        document = {
            "sidecar": SIDECAR_VERSION,
            "plan_digest": pieces.digest(self.data),
            "plan_bytes": len(self.data),
        }
        document |= asdict(self.info)
        try:
            with atomic_write(sidecar_path(path)) as sidecar, atomic_write(path) as plan:
                plan.write(self.data)
                sidecar.write(json.dumps(document, indent=2).encode() + b"\n")
        except OSError as error:
            raise PlanError(f"cannot write the engine to {path}: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """Reads a plan and its sidecar. Raises PlanError if one is missing, corrupt, or not the other's."""
        try:
            data, digest = pieces.read(path)
        except OSError as error:
            raise PlanError(f"cannot read the engine {path}: {error.strerror or error}") from error
        _check_is_plan(path, bytes(data[:16]))
        sidecar = read_sidecar(sidecar_path(path))
        if sidecar.plan_digest != digest:
            raise PlanError(
                f"{path} is not the plan that {sidecar_path(path)} describes: it has"
                f" {counted(len(data), 'byte')}, the sidecar describes {sidecar.plan_bytes:,} with another checksum."
                f" Build it again, or copy both files."
            )
        return cls(data, sidecar.info)


@dataclass(frozen=True)
class Sidecar:
    """What stands beside a plan, without the plan.

    plan_bytes, plan_digest: of the plan that it describes, as trtnet.builder.parallel_digest.digest computes.
    """

    info: PlanInfo
    plan_bytes: int
    plan_digest: str


def read_sidecar(path: str | os.PathLike[str]) -> Sidecar:
    """Reads a sidecar; the plan need not be there. Raises PlanError if it is missing, corrupt, or no sidecar."""
    try:
        document = json_text.loads(Path(path).read_bytes())
        return Sidecar(_info(document), document["plan_bytes"], document["plan_digest"])
    except OSError as error:
        raise PlanError(
            f"cannot read the engine description {path}: {error.strerror or error}. trtnet writes it beside each plan,"
            f" FILE.json: copy both files"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(f"{path} is not a sidecar that trtnet wrote beside an engine: {error!r}") from error


def begins(data: bytes | str) -> str:
    """What a file holds that is not of the kind that was expected."""
    return f"it begins with {data[:16]!r}" if data else "it is empty"


def _check_is_plan(path: str | os.PathLike[str], start: bytes) -> None:
    """Raises PlanError for a file without a sidecar that is another thing: an engine's description, or no plan."""
    name = os.fspath(path)
    if name.endswith(".json") and Path(name.removesuffix(".json")).exists():
        raise PlanError(f"{name} describes an engine, it is none: name the engine, {name.removesuffix('.json')}")
    if start[1:4] != MAGIC and not sidecar_path(path).exists():
        raise PlanError(f"{name} is not a plan of TensorRT: {begins(start)}")


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """``x.engine`` -> ``x.engine.json``."""
    return Path(f"{os.fspath(path)}.json")


def _info(document: dict[str, Any]) -> PlanInfo:
    if document.get("sidecar") != SIDECAR_VERSION:
        found = document.get("sidecar")
        raise ValueError(f"sidecar version {found}, this trtnet reads {SIDECAR_VERSION}: build the engine again")
    defaults: dict[str, Any] = {"tf32": None, "forms": {}, "forms_by": {}, "quantization": {}, "audit": {}}
    defaults |= {"rank": 0, "ranks": 1, "divided": {}, "states": [], "float8_groups": False}
    document = {**defaults, **document}  # trtnet 0.1's first engines do not say
    fields = {name: document[name] for name in PlanInfo.__dataclass_fields__}
    for side in ("inputs", "outputs"):
        fields[side] = tuple(
            TensorInfo(t["name"], tuple(t["shape"]), t["dtype"], tuple(t.get("values", ())), t.get("rows", 0))
            for t in fields[side]
        )
    fields["profiles"] = tuple(
        {name: tuple(tuple(shape) for shape in shapes) for name, shapes in profile.items()}
        for profile in fields["profiles"]
    )
    fields["states"] = tuple(StateInfo(**state) for state in fields["states"])
    for name in ("compute_capabilities", "refittable", "folded", "flops", "minimum_bytes"):
        fields[name] = tuple(fields[name])
    for name in ("dtypes", "quantization"):
        if not isinstance(fields[name], dict) or not all(isinstance(each, str) for each in fields[name].values()):
            raise TypeError(f"{name} is a table of texts, found {fields[name]!r}")
    if not isinstance(fields["dtype"], str):
        raise TypeError(f"dtype is a text, found {fields['dtype']!r}")
    return PlanInfo(**fields)
