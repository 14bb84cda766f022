"""A network as a drawing: what TensorRT was told, read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trtnet.graph.layers.attributes import attributes
from trtnet.graph.layers.kinds import kind_of
from trtnet.graph.layers.read import Node, Tensor, needed, producers, read, sizes
from trtnet.graph.layers.titles import times
from trtnet.graph.layers.work import LayerWork, Work, count
from trtnet.support import dtypes, provenance
from trtnet.support.backend import trt
from trtnet.support.errors import InputError
from trtnet.tools.draw.dimensions import named_shapes
from trtnet.tools.draw.drawing import INPUT, OUTPUT, Drawing, DrawnLayer, DrawnTensor
from trtnet.tools.draw.files.onnx_names import OnnxNames
from trtnet.tools.targets.networks import NetworkTarget, module_path


def draw_network(target: NetworkTarget, names: OnnxNames | None = None) -> Drawing:
    """The layers that the outputs need, each with its constants folded into it.

    names: of the nodes of the ONNX file it was parsed from, where they tell of modules.
    """
    reader = _Reader(target.network, names or OnnxNames({}, {}))
    work, note = _work(target)
    types = {path: type(module).__name__ for path, module in target.modules.items()} or reader.names.types
    layers = tuple(reader.layers({one.name: one for one in work.layers} if work else {}))
    return Drawing(Path(target.name).name, layers, tuple(reader.tensors), types, (*reader.notes(), *note))


def _work(target: NetworkTarget) -> tuple[Work | None, tuple[str, ...]]:
    """What it must compute, and at which sizes that was counted."""
    try:
        with target.shaped():
            work = count(target.network)
    except InputError as error:
        return None, (f"FLOPs and bytes are not counted: {error}.",)
    assumed = ", ".join(f"{name}={size}" for name, size in target.sizes.items())
    return work, ((f"FLOPs and bytes are counted at {assumed}.",) if assumed else ())


class _Reader:
    """Reads layers and gives tensors their indices."""

    def __init__(self, network: trt.INetworkDefinition, names: OnnxNames) -> None:
        self.names = names
        self.tensors: list[DrawnTensor] = []
        self._network = network
        self._inputs = [network.get_input(index) for index in range(network.num_inputs)]
        self._outputs = [network.get_output(index) for index in range(network.num_outputs)]
        self._all = read(network)
        self._nodes = needed(self._all, self._outputs)
        self._producer = producers(self._nodes)
        self._constant = _constants(self._nodes)
        self._index: dict[Any, int] = {}
        made = (x for node in self._nodes for x in node.outputs)
        self._shapes = named_shapes(network, [*self._inputs, *made])

    def layers(self, work: Mapping[str, LayerWork]) -> Iterable[DrawnLayer]:
        for tensor in self._inputs:
            yield DrawnLayer(tensor.name, INPUT, "Input", outputs=(self._tensor(tensor),))
        for node in self._nodes:
            if node not in self._constant:
                yield self._layer(node, work.get(node.layer.name))
        for tensor in self._outputs:
            yield DrawnLayer(tensor.name, OUTPUT, "Output", inputs=(self._tensor(tensor),))

    def notes(self) -> list[str]:
        """What is not in the picture."""
        unneeded, folded = len(self._all) - len(self._nodes), len(self._constant)
        notes = [f"Layers of constants, drawn as attributes of those that read them: {folded:,}."] if folded else []
        return notes + ([f"Layers left out because no output needs them: {unneeded:,}."] if unneeded else [])

    def _layer(self, node: Node, work: LayerWork | None) -> DrawnLayer:
        own = attributes(node)
        metadata = getattr(node.layer, "attention", node.layer).metadata
        found = provenance.read(metadata)
        place = found[0] if found else self.names.place(metadata)
        return DrawnLayer(
            name=node.layer.name,
            kind=node.kind,
            title=kind_of(node.kind).entitle(own),
            module=place.module if place else module_path(node.layer.name),
            source=place.source if place else "",
            attributes={**{name: _text(value) for name, value in own.items()}, **self._constants_of(node)},
            inputs=tuple(self._tensor(x) for x in node.inputs if x is not None and not self._is_constant(x)),
            outputs=tuple(self._tensor(x) for x in node.outputs),
            flops=work.flops if work else 0,
            bytes=work.bytes_read + work.bytes_written if work else 0,
            weight_bytes=work.weight_bytes if work else 0,
        )

    def _constants_of(self, node: Node) -> dict[str, str]:
        constants = {i: x for i, x in enumerate(node.inputs) if x is not None and self._is_constant(x)}
        return {f"input {i}": f"constant {self._drawn(x)}" for i, x in constants.items()}

    def _is_constant(self, tensor: Tensor) -> bool:
        return self._producer.get(tensor) in self._constant

    def _tensor(self, tensor: Tensor) -> int:
        if tensor not in self._index:
            self._index[tensor] = len(self.tensors)
            self.tensors.append(self._drawn(tensor))
        return self._index[tensor]

    def _drawn(self, tensor: Tensor) -> DrawnTensor:
        shape = self._shapes.get(tensor) or sizes(tensor, self._network)
        return DrawnTensor(tensor.name, shape, dtypes.get(tensor.dtype).name)


def _constants(nodes: Sequence[Node]) -> set[Node]:
    """Constants, and the layers that compute with constants alone, but those that say when others run."""
    readers: dict[Any, list[Node]] = {}
    for node in nodes:
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(node)
    missing = {node: sum(x is not None for x in node.inputs) for node in nodes}
    stack = [node for node in nodes if node.kind == "CONSTANT"]
    found = set(stack)
    while stack:
        for tensor in stack.pop().outputs:
            for reader in readers.get(tensor, ()):
                missing[reader] -= 1
                if not missing[reader] and not kind_of(reader.kind).boundary and not _is_output(reader):
                    found.add(reader)
                    stack.append(reader)
    return found


def _is_output(node: Node) -> bool:
    return any(tensor.is_network_output for tensor in node.outputs)


def _text(value: Any) -> str:
    return times(value) if isinstance(value, tuple) else str(value)
