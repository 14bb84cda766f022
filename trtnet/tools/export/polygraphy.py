"""`trtnet export polygraphy`: a model as a network script, which polygraphy takes in the place of an ONNX file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trtnet.graph import Input
from trtnet.support import backend
from trtnet.support.files import atomic_write
from trtnet.tools.targets import arguments
from trtnet.tools.targets.absolute import absolute, absolute_target
from trtnet.tools.targets.networks import Choices, define_model

_SCRIPT = '''\
"""A model of trtnet as a TensorRT network, written by `trtnet export polygraphy`; polygraphy calls load_network()."""

import os

# polygraphy and trtnet must use one TensorRT
RTX = os.environ.get("POLYGRAPHY_USE_TENSORRT_RTX", "0") != "0"
os.environ["TRTNET_BACKEND"] = "tensorrt_rtx" if RTX else "tensorrt"

import trtnet
from trtnet import Quantize
from trtnet.tools.targets.models import create, find
from trtnet.tools.targets.weights_choice import WeightsChoice


def load_network():
    """The builder, the network, and what keeps its weights alive, which polygraphy holds in a parser's place."""
    model = create(find({target!r}), {arguments!r})
    inputs = {{
{inputs}
    }}
    chosen = {weights!r}
    options = {options!r}
    network = trtnet.define(model, inputs, chosen.open(), name={target!r}, **options)
    return network.builder, network.trt, network
'''


@dataclass(frozen=True)
class Script:
    """path: the script. commands: how polygraphy takes it, to be run where it lies."""

    path: str
    commands: tuple[str, ...]


def write(target: str, choices: Choices, path: str | os.PathLike[str]) -> Script:
    """Defines the network once, to be sure that it can be, and writes the script. Files are named by absolute paths.

    choices: with weights. Raises what defining raises, and TrtnetError if the script cannot be written.
    """
    model, _ = define_model(target, choices)
    choices = absolute(choices)
    declared = arguments.inputs(choices.inputs) or model.inputs
    sized = arguments.with_sizes(declared, arguments.dims(choices.dims))
    text = _SCRIPT.format(
        target=absolute_target(target),
        arguments=choices.values,
        inputs="\n".join(f"        {name!r}: trtnet.{spec!r}," for name, spec in sized.items()),
        weights=choices.checkpoint,
        options=choices.definition,
    )
    with atomic_write(path) as out:
        out.write(text.encode())
    return Script(os.fspath(path), _commands(os.fspath(path), sized, choices))


def _commands(path: str, inputs: Mapping[str, Input], choices: Choices) -> tuple[str, ...]:
    script = f"{shlex.quote(path)} --model-type trt-network-script"
    shapes = _profile(inputs, choices)
    prefix = "POLYGRAPHY_USE_TENSORRT_RTX=1 " if backend.name() == "tensorrt_rtx" else ""
    commands = (
        f"{prefix}polygraphy convert {script} --convert-to trt{shapes} -o {shlex.quote(f'{Path(path).stem}.engine')}",
        f"{prefix}polygraphy run {script} --trt{shapes}",
    )
    if prefix:  # polygraphy 0.53 imports tensorrt to inspect, whatever the variable says
        return commands
    return (f"polygraphy inspect model {script} --show layers", *commands)


def _profile(inputs: Mapping[str, Input], choices: Choices) -> str:
    """polygraphy's options for the shapes of dynamic inputs; a dimension without a range is 1 there."""
    ranges = {n: (r, r, r) if isinstance(r, int) else r for n, r in arguments.dims(choices.dims).items()}
    dynamic = {name: spec.shape for name, spec in inputs.items() if any(isinstance(size, str) for size in spec.shape)}
    options = [f" --trt-{which}-shapes" for which in ("min", "opt", "max")] if dynamic else []
    for name, shape in dynamic.items():
        for index in range(3):
            sizes = (ranges.get(size, (1, 1, 1))[index] if isinstance(size, str) else size for size in shape)
            options[index] += " " + shlex.quote(f"{name}:[{','.join(map(str, sizes))}]")
    return "".join(options)
