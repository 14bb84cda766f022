"""`trtnet inspect` of whatever it is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from trtnet.tools.inspect import network as inspect_network, plan as inspect_plan, table as inspect_table
from trtnet.tools.targets.models import is_model
from trtnet.tools.targets.networks import Choices, check_options, open_network


@dataclass(frozen=True)
class Look:
    """What there is to see, and the same for a program."""

    picture: RenderableType
    document: dict[str, Any]


def look(target: str, choices: Choices, depth: int) -> Look:
    """A model, an ONNX file, an engine, its sidecar, or the engine inspector's JSON.

    choices: of a model. depth: how deep a network's modules are shown. Raises what reading each of them raises.
    """
    check_options(choices, target, sizes=is_network(target))
    if is_network(target):
        summary = inspect_network.summarize(open_network(target, choices))
        return Look(inspect_table.render(summary, depth), inspect_network.to_json(summary))
    path = Path(target)
    engine = inspect_plan.read_document(path) if path.suffix == ".json" else inspect_plan.read_engine(path)
    return Look(inspect_plan.render(engine), inspect_plan.to_json(engine))


def is_network(target: str) -> bool:
    """Whether a target is a model or an ONNX file, and not a file of an engine."""
    return target.endswith(".onnx") or is_model(target)
