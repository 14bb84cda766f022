"""A model of the zoo, or the user's own, as Triton's python backend runs it: by the CPU reference."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trtnet.builder.profiles import profile_shapes
from trtnet.runtime import load
from trtnet.support.errors import PlanError, ProfileError
from trtnet.tools.export.triton.config import PLAN, REFERENCE
from trtnet.tools.export.triton.repository import Served, check, model_template, of_engine, template
from trtnet.tools.export.triton.sequence_config import of_sequences
from trtnet.tools.targets import arguments
from trtnet.tools.targets.absolute import absolute, absolute_target
from trtnet.tools.targets.forms_choice import FormsChoice
from trtnet.tools.targets.function import Function
from trtnet.tools.targets.models import is_model
from trtnet.tools.targets.networks import Choices, check_options, define_network
from trtnet.tools.targets.weights_choice import WeightsChoice

DESCRIPTION = "model.json"


def served(target: str, choices: Choices, *, python: bool) -> Served:
    """An engine's file, or a model; see :func:`of_engine <trtnet.tools.export.triton.repository.of_engine>`.

    Raises PlanError for a model without python=True, and as these do.
    """
    if is_model(target):
        if not python:
            raise PlanError(f"{target} is a model, which the CPU reference runs in Triton's python backend: --python")
        return of_model(target, choices)
    check_options(choices, target, sizes=False)
    return of_engine(Path(target), python=python)


def of_model(target: str, choices: Choices) -> Served:
    """A model for the CPU reference: it is named in its description, and its files are, by absolute paths.

    choices: with the range of each dynamic dimension, as for an engine. Raises as defining and building, and PlanError
    for a dtype that Triton does not have.
    """
    ranges = arguments.dims(choices.dims)
    network = define_network(target, replace(choices, dims=()))
    missing = [name for name in network.dims if name not in ranges]
    if missing:
        raise ProfileError(f"give the range of {missing[0]}, for Triton's batches: --dim {missing[0]}=1:8:32")
    info = replace(network.describe(), backend=REFERENCE, profiles=profile_shapes(network, ranges))
    check(info, target, python=True)
    files = {DESCRIPTION: _described(target, choices), "model.py": template(model_template(info))}
    return Served(of_sequences(info), files, True)


def open_model(folder: Path, device: int) -> Any:
    """What is called in the folder of a version: an engine on a GPU, or the reference of a model."""
    if (folder / PLAN).exists():
        return load(folder / PLAN, device=device)
    document = json.loads((folder / DESCRIPTION).read_text())
    choices = document["choices"]
    weights = choices["weights"] | {"ignore": tuple(choices["weights"]["ignore"])}
    made = choices | {"weights": WeightsChoice(**weights), "forms": FormsChoice(**choices["forms"])}
    return Function(document["model"], Choices(**made)).open()


def _described(target: str, choices: Choices) -> bytes:
    document = {"model": absolute_target(target), "choices": asdict(absolute(replace(choices, dims=())))}
    return json.dumps(document, indent=2).encode() + b"\n"
