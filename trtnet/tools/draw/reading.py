"""What `trtnet draw` is given, as a drawing: a model, an ONNX file, an engine, or what an engine's inspector said."""

from __future__ import annotations

from pathlib import Path

from trtnet.support.errors import PlanError
from trtnet.tools.draw.drawing import Drawing
from trtnet.tools.draw.files.onnx_names import read as read_names
from trtnet.tools.draw.from_engine import draw_engine
from trtnet.tools.draw.from_network import draw_network
from trtnet.tools.inspect import plan as inspect_plan
from trtnet.tools.inspect.any import is_network
from trtnet.tools.targets.networks import Choices, check_options, open_network


def read(target: str, choices: Choices) -> Drawing:
    """Reads ``resnet50``, ``file.py:factory``, ``x.onnx``, ``layers.json`` (the inspector's) or ``x.engine``.

    choices: how a model is defined. Raises what opening it raises; PlanError for an engine whose layers are
    not known, as where there is no GPU.
    """
    check_options(choices, target, sizes=is_network(target))
    path = Path(target)
    if is_network(target):
        network = open_network(target, choices)
        return draw_network(network, read_names(target) if path.suffix == ".onnx" else None)
    engine = inspect_plan.read_document(path) if path.suffix == ".json" else inspect_plan.read_engine(path)
    if engine.layers is None:
        raise PlanError(f"{target} cannot be drawn: {engine.unknown}")
    return draw_engine(path.stem, engine.layers)
