"""An engine as a drawing: what its inspector says of the layers that TensorRT made of a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from trtnet.tools.draw.drawing import INPUT, OUTPUT, Drawing, DrawnLayer, DrawnTensor
from trtnet.tools.draw.ends import common_module
from trtnet.tools.inspect.engine import BUILD_DETAILED, EngineDescription, EngineLayer, EngineTensor


def draw_engine(title: str, description: EngineDescription) -> Drawing:
    """The engine's layers, each in the module that has all those it was fused from.

    A layer of which the engine does not say that is drawn in the module of those around it.
    An engine that was built with layer names only is drawn as layers without tensors; a note says so.
    """
    tensors = _tensors(description)
    index = {name: i for i, name in enumerate(tensors)}
    made = {x.name for one in description.layers for x in one.outputs}
    ends = [name for name in description.io if name in index]
    layers = [DrawnLayer(name, INPUT, "Input", outputs=(index[name],)) for name in ends if name not in made]
    layers += _housed([_layer(one, index) for one in description.layers], description.layers)
    layers += [DrawnLayer(name, OUTPUT, "Output", inputs=(index[name],)) for name in ends if name in made]
    drawn = tuple(DrawnTensor(x.name, x.shape, x.dtype) for x in tensors.values())
    notes = () if description.detailed else (f"The engine has the names of its layers alone: {BUILD_DETAILED}.",)
    return Drawing(title, tuple(layers), drawn, notes=notes)


def _tensors(description: EngineDescription) -> dict[str, EngineTensor]:
    """All tensors by name; what a layer writes says more of one than what reads it."""
    found: dict[str, EngineTensor] = {}
    for one in description.layers:
        for tensor in one.outputs:
            found[tensor.name] = tensor
        for tensor in one.inputs:
            found.setdefault(tensor.name, tensor)
    return found


def _layer(one: EngineLayer, index: dict[str, int]) -> DrawnLayer:
    return DrawnLayer(
        name=one.name,
        kind=one.type or "layer",
        title=(one.type or "Layer").replace("_", " "),
        module=common_module([module for module in one.modules if module]),
        source=", ".join(one.sources),
        attributes=dict(_attributes(one)),
        inputs=tuple(index[x.name] for x in one.inputs),
        outputs=tuple(index[x.name] for x in one.outputs),
    )


def _housed(layers: Sequence[DrawnLayer], described: Sequence[EngineLayer]) -> Iterable[DrawnLayer]:
    touching: dict[int, list[str]] = defaultdict(list)
    for drawn, one in zip(layers, described, strict=True):
        for tensor in (*drawn.inputs, *drawn.outputs) if one.modules else ():
            touching[tensor].append(drawn.module)
    for drawn, one in zip(layers, described, strict=True):
        around = [module for tensor in (*drawn.inputs, *drawn.outputs) for module in touching[tensor]]
        yield drawn if one.modules else replace(drawn, module=common_module(around))


def _attributes(one: EngineLayer) -> Iterable[tuple[str, str]]:
    if one.tactic:
        yield "tactic", one.tactic
    if one.modules:
        yield "fused from", ", ".join(module or "(model)" for module in one.modules)
    for tensor in (*one.inputs, *one.outputs):
        if tensor.format:
            yield f"format of {tensor.name}", tensor.format
