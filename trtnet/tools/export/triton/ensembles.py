"""A model with steps before and after it: Triton's ensemble, whose steps are Python functions of the user's own.

NAME is the ensemble then, NAME_model the model, NAME_before and NAME_after the functions. The server moves tensors from
step to step, and batches each by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtnet.graph import Input
from trtnet.support.call_interface import TensorInfo
from trtnet.support.errors import ModelError
from trtnet.tools.export.triton.config import TYPES, max_batch_size, tensors
from trtnet.tools.export.triton.placing import Version, check, place
from trtnet.tools.export.triton.repository import Repository, Served, placed, template, version_of
from trtnet.tools.export.triton.serving import Serving
from trtnet.tools.targets.model_file import factory_in

STEP = "step.json"


@dataclass(frozen=True)
class Step:
    """function: ``file.py:function``, which takes arrays by name, with a batch axis where the model has one, and gives
    a dict of arrays. tensors: what the first step takes, or the last one gives.
    """

    function: str
    tensors: Mapping[str, Input]

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """The tensors, checked. Raises ModelError for a dtype that Triton, or numpy, does not have."""
        made = tuple(TensorInfo(name, spec.shape, spec.dtype or "float32") for name, spec in self.tensors.items())
        for info in made:
            if info.dtype not in TYPES or info.dtype == "bfloat16" or not info.shape:
                raise ModelError(f"{info}: a step takes and gives arrays of {', '.join(TYPES)}, bfloat16 excepted")
        return made


def write_ensemble(
    served: Served, repository: Path, name: str, serving: Serving, before: Step | None, after: Step | None
) -> Repository:
    """Writes a model and the steps around it. Nothing is written if one of them cannot be.

    Raises ModelError for a function that is not there or that has no tensors, PlanError as ``repository.publish``.
    """
    _check(before, after)
    info = served.info
    versions = [version_of(served, f"{name}_model", serving)]
    size = max_batch_size(info, serving)
    takes = info.inputs if before is None else before.infos
    gives = info.outputs if after is None else after.infos
    steps = [(f"{name}_model", info.inputs, info.outputs)]
    if before is not None:
        steps.insert(0, (f"{name}_before", takes, info.inputs))
        versions.append(_version_of_step(steps[0], before.function, size, serving))
    if after is not None:
        steps.append((f"{name}_after", info.outputs, gives))
        versions.append(_version_of_step(steps[-1], after.function, size, serving))
    versions.append(Version(name, _ensemble(name, takes, gives, steps, size), {"ensemble": b""}))
    for version in versions:
        check(repository, version)
    written = [place(repository, version) for version in versions]  # the ensemble last
    files = tuple(file for each, _ in written for file in each)
    note = "a step's file is copied alone: what it imports must be there in the server's Python"
    model = placed(served, serving, *written[0])
    return Repository(files, written[-1][1], size, (*model.notes, note))


def _check(before: Step | None, after: Step | None) -> None:
    for option, given, step in (("--before", "--takes", before), ("--after", "--gives", after)):
        if step is not None:
            factory_in(step.function)
            if not step.infos:
                raise ModelError(f"{option} {step.function}: say what it {given[2:]}: {given} NAME=batch,SIZES:dtype")


Infos = Sequence[TensorInfo]
Connected = tuple[str, Infos, Infos]
"""A model in the ensemble: its name, what it takes and what it gives."""


def _version_of_step(step: Connected, function: str, size: int, serving: Serving) -> Version:
    name, takes, gives = step
    file, _, attribute = function.rpartition(":")
    text = "\n".join(
        [
            f"name: {json.dumps(name)}",
            'backend: "python"',
            f"max_batch_size: {size}",
            *tensors("input", takes, size),
            *tensors("output", gives, size),
            f"version_policy {{ latest {{ num_versions: {serving.versions} }} }}",
            f"instance_group [ {{ count: {serving.instances} kind: KIND_CPU }} ]",
            *(["dynamic_batching { }"] if size > 1 else []),
        ]
    )
    described = {"function": attribute, "inputs": [i.name for i in takes], "outputs": [i.name for i in gives]}
    files = {
        "model.py": template("python_step.py"),
        "function.py": Path(file).read_bytes(),
        STEP: json.dumps(described).encode(),
    }
    return Version(name, text + "\n", files)


def _ensemble(name: str, takes: Infos, gives: Infos, steps: Sequence[Connected], size: int) -> str:
    """The configuration. A tensor between steps is called by the step that gives it, so that no two have one name."""
    lines = [f"name: {json.dumps(name)}", 'platform: "ensemble"', f"max_batch_size: {size}"]
    lines += [
        *tensors("input", takes, size, whole=True),
        *tensors("output", gives, size, whole=True),
        "ensemble_scheduling { step [",
    ]
    entries, giver = [], ""
    for index, (step, inputs, outputs) in enumerate(steps):
        last = index == len(steps) - 1
        maps = [_map("input_map", info.name, f"{giver}{info.name}") for info in inputs]
        giver = "" if last else f"{step}."
        maps += [_map("output_map", info.name, f"{giver}{info.name}") for info in outputs]
        entries.append(f"  {{ model_name: {json.dumps(step)} model_version: -1 {' '.join(maps)} }}")
    return "\n".join([*lines, ",\n".join(entries), "] }"]) + "\n"


def _map(side: str, key: str, value: str) -> str:
    return f"{side} {{ key: {json.dumps(key)} value: {json.dumps(value)} }}"
