"""The text of config.pbtxt, from what is known of an engine."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trtnet.builder import PlanInfo
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import PlanError
from trtnet.support.text.counted import counted
from trtnet.tools.export.triton.sequence_config import sequence_batching, stream_count
from trtnet.tools.export.triton.serving import Serving

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


REFERENCE = "reference"
"""The backend of what is known of a model that the CPU reference runs."""


def config(info: PlanInfo, name: str, serving: Serving, *, python: bool) -> str:
    """The text of config.pbtxt.

    Raises PlanError for a batch size that the engine does not take, and for what is said of sequences without states.
    """
    if not info.states and (serving.sequences, serving.idle) != (Serving.sequences, Serving.idle):
        raise PlanError(f"--sequences and --idle are for a model with states, and {name} has none")
    size = max_batch_size(info, serving)
    backend = "python" if python else "tensorrt"
    by = "run by the CPU reference" if info.backend == REFERENCE else f"built by {info.backend} {info.backend_version}"
    lines = [
        f"# {info.model} {info.dtype}, {by}",
        f"name: {json.dumps(name)}",
        f'backend: "{backend}"',
        *([] if python else ['platform: "tensorrt_plan"', f'default_model_filename: "{PLAN}"']),
        f"max_batch_size: {size}",
        *tensors("input", info.inputs, size),
        *tensors("output", info.outputs, size),
        f"version_policy {{ latest {{ num_versions: {serving.versions} }} }}",
        _instances(info, serving, python),
    ]
    if info.states:
        lines += sequence_batching(serving, size)
    elif size > 1:
        preferred = ", ".join(map(str, _preferred(info, size)))
        batching = f"preferred_batch_size: [ {preferred} ] max_queue_delay_microseconds: {serving.delay}"
        lines.append(f"dynamic_batching {{ {batching} }}")
    if serving.warmup and not info.states:
        lines += _warmup(info, size)
    if serving.cache:
        lines.append("response_cache { enable: true }")
    return "\n".join(lines) + "\n"


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


def max_batch_size(info: PlanInfo, serving: Serving) -> int:
    """The largest batch, 0 for none; of a model with states, the number of its streams.

    Raises PlanError for more than the profiles take, and for fewer streams.
    """
    largest = max(_batches(info, 2), default=0) if _batch_axis(info) else 0
    if info.states:
        return stream_count(range(min(_batches(info, 0)), largest + 1), info.states, serving)
    if serving.max_batch_size is None:
        return largest
    if not 0 <= serving.max_batch_size <= largest:
        batched = f"its profiles allow batches of {largest} at most" if largest else "it has no batch axis of its own"
        raise PlanError(f"a batch size of {serving.max_batch_size} was asked for the engine, {batched}")
    return serving.max_batch_size


def _preferred(info: PlanInfo, size: int) -> list[int]:
    """The batch sizes that profiles are tuned for; the largest if none is allowed."""
    return sorted({best for best in _batches(info, 1) if 1 < best <= size}) or [size]


def tensors(side: str, infos: Sequence[TensorInfo], size: int, *, whole: bool = False) -> list[str]:
    """The lines of inputs or outputs. size: the largest batch. whole: of an ensemble, which reshapes nothing."""
    entries = ",\n".join(f"  {_tensor(info, size, whole)}" for info in infos)
    return [f"{side} [", entries, "]"]


def _tensor(tensor: TensorInfo, max_batch_size: int, whole: bool) -> str:
    shape = tensor.shape[1:] if max_batch_size else tensor.shape
    dims = ", ".join(str(-1 if isinstance(size, str) else size) for size in shape)
    text = f"name: {json.dumps(tensor.name)} data_type: {TYPES[tensor.dtype]}"
    # Triton wants at least one dimension beside the batch
    reshape = "" if dims or whole else " reshape { shape: [] }"
    return f"{{ {text} dims: [ {dims or 1} ]{reshape} }}"


def _instances(info: PlanInfo, serving: Serving, python: bool) -> str:
    if info.backend == REFERENCE:
        return f"instance_group [ {{ count: {serving.instances} kind: KIND_CPU }} ]"
    profiles = ", ".join(f'"{index}"' for index in range(len(info.profiles)))
    chosen = f" profile: [ {profiles} ]" if len(info.profiles) > 1 and not python else ""
    gpus = f" gpus: [ {', '.join(map(str, serving.gpus))} ]" if serving.gpus else ""
    return f"instance_group [ {{ count: {serving.instances} kind: KIND_GPU{gpus}{chosen} }} ]"


def _warmup(info: PlanInfo, size: int) -> list[str]:
    """A request of zeros for the best shapes of each profile."""
    entries = []
    for index, profile in enumerate(info.profiles):
        inputs = []
        for tensor in info.inputs:
            shape = profile[tensor.name][1]
            dims = ", ".join(map(str, shape[1:] if size else shape)) or "1"
            value = f"data_type: {TYPES[tensor.dtype]} dims: [ {dims} ] zero_data: true"
            inputs.append(f"inputs {{ key: {json.dumps(tensor.name)} value: {{ {value} }} }}")
        batch = min(profile[info.inputs[0].name][1][0], size) if size else 0
        entries.append(f'  {{ name: "profile {index}" batch_size: {batch} {" ".join(inputs)} }}')
    return ["model_warmup [", ",\n".join(entries), "]"]


def notes(info: PlanInfo, size: int, python: bool) -> list[str]:
    """What to know of a model with this largest batch."""
    needs = f"{info.backend} {info.backend_version}"
    found = [f"the server's Python needs trtnet and {needs}" if python else f"the server needs {needs}, which built it"]
    if info.backend == REFERENCE:
        found = ["the server's Python needs trtnet, a TensorRT and torch, and the files where they are now"]
    if info.states:
        found.append(
            f"{counted(size, 'sequence')} at a time in each instance; requests bring one chunk each, and their"
            " sequence's id"
        )
    elif size and min(_batches(info, 0)) > 1:
        found.append(f"requests of fewer than {counted(min(_batches(info, 0)), 'sample')} fail: no profile takes them")
    if not size:
        found.append("Triton does not batch: requests bring the whole shape")
    return found
