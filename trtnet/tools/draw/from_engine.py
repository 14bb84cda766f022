"""An engine as a drawing: what its inspector says of the layers that TensorRT made of a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from trtnet.tools.draw.drawing import INPUT, OUTPUT, Drawing, DrawnLayer, DrawnTensor
from trtnet.tools.draw.ends import common_module
from trtnet.tools.inspect_engine import BUILD_DETAILED, EngineDescription, EngineLayer, EngineTensor


def draw_engine(title: str, description: EngineDescription) -> Drawing:
    """The engine's layers, each in the module that has all those it was fused from.

    A layer of which the engine does not say that is drawn in the module of those around it.
    An engine that was built with layer names alone is drawn as layers without tensors; a note says so.
    """
    tensors = _tensors(description)
    index = {name: i for i, name in enumerate(tensors)}
    made = {x.name for layer in description.layers for x in layer.outputs}
    ends = [name for name in description.io if name in index]
    layers = [DrawnLayer(name, INPUT, "Input", outputs=(index[name],)) for name in ends if name not in made]
    layers += _housed([_layer(layer, index) for layer in description.layers], description.layers)
    layers += [DrawnLayer(name, OUTPUT, "Output", inputs=(index[name],)) for name in ends if name in made]
    drawn = tuple(DrawnTensor(x.name, x.shape, x.dtype) for x in tensors.values())
    notes = () if description.detailed else (f"The engine has the names of its layers alone: {BUILD_DETAILED}.",)
    return Drawing(title, tuple(layers), drawn, notes=notes)


def _tensors(description: EngineDescription) -> dict[str, EngineTensor]:
    """All tensors by name; what a layer writes says more of one than what reads it."""
    found: dict[str, EngineTensor] = {}
    for layer in description.layers:
        for tensor in layer.outputs:
            found[tensor.name] = tensor
        for tensor in layer.inputs:
            found.setdefault(tensor.name, tensor)
    return found


def _layer(layer: EngineLayer, index: dict[str, int]) -> DrawnLayer:
    return DrawnLayer(
        name=layer.name,
        kind=layer.type or "layer",
        title=(layer.type or "Layer").replace("_", " "),
        module=common_module([module for module in layer.modules if module]),
        source=", ".join(layer.sources),
        attributes=dict(_attributes(layer)),
        inputs=tuple(index[x.name] for x in layer.inputs),
        outputs=tuple(index[x.name] for x in layer.outputs),
    )


def _housed(drawn: Sequence[DrawnLayer], described: Sequence[EngineLayer]) -> Iterable[DrawnLayer]:
    touching: dict[int, list[str]] = defaultdict(list)
    for layer, engine_layer in zip(drawn, described, strict=True):
        for tensor in (*layer.inputs, *layer.outputs) if engine_layer.modules else ():
            touching[tensor].append(layer.module)
    for layer, engine_layer in zip(drawn, described, strict=True):
        around = [module for tensor in (*layer.inputs, *layer.outputs) for module in touching[tensor]]
        yield layer if engine_layer.modules else replace(layer, module=common_module(around))


def _attributes(layer: EngineLayer) -> Iterable[tuple[str, str]]:
    if layer.tactic:
        yield "tactic", layer.tactic
    if layer.modules:
        yield "fused from", ", ".join(module or "(model)" for module in layer.modules)
    for tensor in (*layer.inputs, *layer.outputs):
        if tensor.format:
            yield f"format of {tensor.name}", tensor.format
