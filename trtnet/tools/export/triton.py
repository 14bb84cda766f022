"""`trtnet export triton`: an engine as a model of a Triton repository, config.pbtxt and the plan.

Triton's tensorrt backend is TensorRT's: a plan of TensorRT-RTX is served by its python backend, which calls trtnet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from trtnet.builder import Plan, PlanInfo
from trtnet.builder.plan import sidecar_path
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import PlanError
from trtnet.support.files import atomic_write

PLAN = "model.plan"
TYPES = {
    "bool": "TYPE_BOOL",
    "uint8": "TYPE_UINT8",
    "int8": "TYPE_INT8",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "bfloat16": "TYPE_BF16",
    "float32": "TYPE_FP32",
}
"""Triton's names of the dtypes that it has."""


@dataclass(frozen=True)
class Serving:
    """How the model is served.

    max_batch_size: the most samples that Triton puts into one batch; None for the most that all profiles' together
    allow, 0 for requests that bring their batch axis themselves. delay: microseconds that a sample waits for others.
    instances: executions at a time on each GPU. version: of the model.
    """

    max_batch_size: int | None = None
    delay: int = 100
    instances: int = 1
    version: int = 1


@dataclass(frozen=True)
class Repository:
    """files: what was written. max_batch_size: as it was chosen. notes: what to know of it."""

    files: tuple[str, ...]
    max_batch_size: int
    notes: tuple[str, ...]


def write(engine: Path, repository: Path, name: str, serving: Serving, *, python: bool) -> Repository:
    """Writes repository/name/config.pbtxt and its version's folder.

    python: by Triton's python backend, with a model.py that runs the engine with trtnet.
    Raises PlanError for an engine that Triton cannot serve so, a name or a number that it does not take, or files that
    cannot be read or written.
    """
    if not re.fullmatch(r"[\w.-]+", name) or serving.version < 1 or serving.instances < 1 or serving.delay < 0:
        raise PlanError(
            f"a model's name has only letters, digits, _ - . and its version and instances are at least 1: {name!r}"
        )
    if max(serving.delay, serving.version) >= 2**63 or max(serving.instances, serving.max_batch_size or 0) >= 2**31:
        raise PlanError(f"one of these numbers is too large for Triton: {serving}")
    plan = Plan.load(engine)
    _check(plan.info, engine, python)
    size = _max_batch_size(plan.info, serving)
    folder = repository / name / str(serving.version)
    written = config(plan.info, name, serving, python=python).encode()
    files: dict[Path, bytes | memoryview] = {repository / name / "config.pbtxt": written, folder / PLAN: plan.data}
    if python:
        files[sidecar_path(folder / PLAN)] = sidecar_path(engine).read_bytes()
        files[folder / "model.py"] = resources.files(__package__).joinpath("triton_model.py").read_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in files.items():
            with atomic_write(path) as out:
                out.write(data)
    except OSError as error:
        raise PlanError(f"cannot write {error.filename or repository}: {error.strerror or error}") from error
    return Repository(tuple(map(str, files)), size, tuple(_notes(plan.info, size, python)))


def config(info: PlanInfo, name: str, serving: Serving, *, python: bool) -> str:
    """The text of config.pbtxt. Raises PlanError for a batch size that the engine does not take."""
    size = _max_batch_size(info, serving)
    backend = "python" if python else "tensorrt"
    lines = [
        f"# {info.model} {info.dtype}, built by {info.backend} {info.backend_version}",
        f"name: {json.dumps(name)}",
        f'backend: "{backend}"',
        *([] if python else ['platform: "tensorrt_plan"', f'default_model_filename: "{PLAN}"']),
        f"max_batch_size: {size}",
        *_tensors("input", info.inputs, size),
        *_tensors("output", info.outputs, size),
        "version_policy { latest { num_versions: 1 } }",
        _instances(info, serving, python),
    ]
    if size > 1:
        preferred = ", ".join(map(str, _preferred(info, size)))
        batching = f"preferred_batch_size: [ {preferred} ] max_queue_delay_microseconds: {serving.delay}"
        lines.append(f"dynamic_batching {{ {batching} }}")
    return "\n".join(lines) + "\n"


def _check(info: PlanInfo, engine: Path, python: bool) -> None:
    if info.backend != "tensorrt" and not python:
        raise PlanError(
            f"{engine} was built by {info.backend}, and Triton's tensorrt backend loads only TensorRT's plans.\n"
            f"  --python serves it with Triton's python backend, with trtnet in the server's Python; or build it with"
            f" TRTNET_BACKEND=tensorrt, in the version of the server"
        )
    if info.stripped:
        raise PlanError(f"{engine} was stripped of its weights: add them with `trtnet refit`, Triton cannot")
    for tensor in (*info.inputs, *info.outputs):
        if tensor.dtype not in TYPES:
            raise PlanError(f"{tensor}: Triton does not have this dtype; it has {', '.join(TYPES)}")
        if python and tensor.dtype == "bfloat16":
            raise PlanError(f"{tensor}: Triton's python backend uses numpy arrays, which have no bfloat16")


def _batch_axis(info: PlanInfo) -> str | None:
    """The dynamic dimension that is the first of all inputs and outputs; None if there is none."""
    tensors = (*info.inputs, *info.outputs)
    first = {tensor.shape[0] if tensor.shape else None for tensor in tensors}
    (axis, *others) = first
    elsewhere = {size for tensor in tensors for size in tensor.shape[1:]}
    return axis if not others and isinstance(axis, str) and axis not in elsewhere else None


def _batches(info: PlanInfo, which: int) -> list[int]:
    """The smallest (0), best (1) or largest (2) batch of each profile."""
    return [profile[info.inputs[0].name][which][0] for profile in info.profiles]


def _max_batch_size(info: PlanInfo, serving: Serving) -> int:
    largest = max(_batches(info, 2), default=0) if _batch_axis(info) else 0
    if serving.max_batch_size is None:
        return largest
    if not 0 <= serving.max_batch_size <= largest:
        batched = f"its profiles allow batches of {largest} at most" if largest else "it has no batch axis of its own"
        raise PlanError(f"a batch size of {serving.max_batch_size} was asked for the engine, {batched}")
    return serving.max_batch_size


def _preferred(info: PlanInfo, size: int) -> list[int]:
    """The batch sizes that profiles are tuned for; the largest if none is allowed."""
    return sorted({best for best in _batches(info, 1) if 1 < best <= size}) or [size]


def _tensors(side: str, tensors: Sequence[TensorInfo], max_batch_size: int) -> list[str]:
    entries = ",\n".join(f"  {_tensor(tensor, max_batch_size)}" for tensor in tensors)
    return [f"{side} [", entries, "]"]


def _tensor(tensor: TensorInfo, max_batch_size: int) -> str:
    shape = tensor.shape[1:] if max_batch_size else tensor.shape
    dims = ", ".join(str(-1 if isinstance(size, str) else size) for size in shape)
    text = f"name: {json.dumps(tensor.name)} data_type: {TYPES[tensor.dtype]}"
    # Triton wants at least one dimension beside the batch
    return f"{{ {text} dims: [ {dims} ] }}" if dims else f"{{ {text} dims: [ 1 ] reshape {{ shape: [] }} }}"


def _instances(info: PlanInfo, serving: Serving, python: bool) -> str:
    profiles = ", ".join(f'"{index}"' for index in range(len(info.profiles)))
    chosen = f" profile: [ {profiles} ]" if len(info.profiles) > 1 and not python else ""
    return f"instance_group [ {{ count: {serving.instances} kind: KIND_GPU{chosen} }} ]"


def _notes(info: PlanInfo, max_batch_size: int, python: bool) -> list[str]:
    needs = f"{info.backend} {info.backend_version}"
    notes = [f"the server's Python needs trtnet and {needs}" if python else f"the server needs {needs}, which built it"]
    if max_batch_size and min(_batches(info, 0)) > 1:
        notes.append(f"requests of fewer than {min(_batches(info, 0))} samples fail: no profile takes them")
    if not max_batch_size:
        notes.append("Triton does not batch: requests bring the whole shape")
    return notes
