"""What `trtnet bench` is given: a plan file, or a model or an ONNX file, which it builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trtnet.builder import DimRange
from trtnet.checkpoint import Checkpoint
from trtnet.definition.models import torch_module_of
from trtnet.runtime import Engine, load
from trtnet.runtime.cuda.device import CudaDevice
from trtnet.support.errors import ModelError
from trtnet.support.files import is_file
from trtnet.tools.bench.feeds import RandomWeights
from trtnet.tools.inspect.plan import PLANS
from trtnet.tools.targets import arguments, models
from trtnet.tools.targets.networks import Choices, check_options, defined, inputs_of


@dataclass(frozen=True)
class Target:
    """name: of the model. checkpoint: its weights, None for a plan without. sizes: given for a plan's dimensions.

    original: the PyTorch module that the model is, None for another.
    """

    engine: Engine
    name: str
    checkpoint: Checkpoint | None
    sizes: dict[str, int]
    original: Any = None


def open_target(target: str, choices: Choices, gpu: Callable[[], object] = CudaDevice) -> Target:
    """A plan file is loaded; a model or an ONNX file is built, where there is a GPU to measure on.

    Raises DeviceError before building where there is none, and what loading, defining and building do.
    """
    if not target.endswith(".onnx") and (is_file(target) or Path(target).suffix in PLANS):
        check_options(replace(choices, weights=None), target)
        engine = load(target)
        checkpoint = choices.checkpoint.open()
        return Target(engine, engine.info.model, checkpoint, _sizes(choices.dims))
    gpu()
    return (_parsed if target.endswith(".onnx") else _built)(target, choices)


def _built(target: str, choices: Choices) -> Target:
    model = models.made(target, choices.values)
    declared = arguments.inputs(choices.inputs) or model.inputs
    named = {size for spec in declared.values() for size in spec.shape if isinstance(size, str)}
    given = arguments.dims(choices.dims)
    ones = [f"{name}=1" for name in named if name not in given]
    sizes: dict[str, DimRange] = {**dict.fromkeys(named, 1), **given}
    weights = choices.open_weights(model, RandomWeights)
    network = defined(target, model, replace(choices, dims=[*choices.dims, *ones]), weights)
    engine = network.build({name: sizes[name] for name in network.dims})
    return Target(engine, target, weights, {}, torch_module_of(model))


def _parsed(target: str, choices: Choices) -> Target:
    check_options(choices, target)
    from trtnet.reference.onnx import parse  # needs torch, which models do not
    from trtnet.tools.bench.other_tools.onnx_route import plan

    parsed = parse(target)
    infos = inputs_of(parsed.network)
    sizes = {size: 1 for info in infos for size in info.shape if isinstance(size, str)}
    given = _sizes(choices.dims)
    unknown = sorted(set(given) - set(sizes))
    if unknown:
        raise ModelError(f"--dim {unknown[0]}: {target} has the dynamic dimensions {', '.join(sizes) or 'none'}")
    sizes |= given
    shapes = {info.name: tuple(sizes[n] if isinstance(n, str) else n for n in info.shape) for info in infos}
    return Target(Engine(plan(parsed, shapes, Path(target).stem)), "", None, {})


def _sizes(texts: Sequence[str]) -> dict[str, int]:
    found = arguments.dims(texts)
    ranges = [name for name, size in found.items() if not isinstance(size, int)]
    if ranges:
        raise ModelError(f"--dim {ranges[0]}: it is measured at one size, batch=8; ranges are for models")
    return {name: size for name, size in found.items() if isinstance(size, int)}
