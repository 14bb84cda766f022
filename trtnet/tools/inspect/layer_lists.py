"""Networks and engines as lists of layers in words, to be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trtnet.builder.plan import Sidecar
from trtnet.graph.layers.attributes import WeightsAttribute, attributes
from trtnet.graph.layers.read import Node, Tensor, needed, producers, read, sizes
from trtnet.support import dtypes
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import counted
from trtnet.tools.inspect.any import is_network
from trtnet.tools.inspect.engine import EngineLayer, EngineTensor, precisions
from trtnet.tools.inspect.plan import EngineFile, read_document, read_engine, sizes_text
from trtnet.tools.quantities import shape
from trtnet.tools.targets.networks import Choices, NetworkTarget, inputs_of, open_network


@dataclass(frozen=True)
class DescribedLayer:
    """name, module: where it is. kind: TensorRT's word. says: everything else of it, by name."""

    name: str
    module: str
    kind: str
    says: Mapping[str, str]


@dataclass(frozen=True)
class Described:
    """facts: what is said of the whole. layers: in TensorRT's order; None where they are not known.

    level: "network" or "engine", whose layers are not of one sort.
    """

    name: str
    level: str
    facts: Mapping[str, str]
    layers: tuple[DescribedLayer, ...] | None = field(repr=False)


def describe(target: str, choices: Choices, values: bool) -> Described:
    """Whatever ``trtnet inspect`` takes.

    values: weights say their digest, not their size alone. Raises what reading the target raises, ModelError for values
    of a model that was given no weights.
    """
    if is_network(target):
        return _network(open_network(target, choices), values)
    path = Path(target)
    return _engine(read_document(path) if path.suffix == ".json" else read_engine(path))


def _network(target: NetworkTarget, values: bool) -> Described:
    if values and not target.real_weights:
        raise ModelError(f"{target.name} was given no weights, so their values cannot be compared: give --weights")
    with target.shaped():
        outputs = [target.network.get_output(index) for index in range(target.network.num_outputs)]
        facts = {f"input {info.name}": f"{shape(info.shape)} {info.dtype}" for info in inputs_of(target.network)}
        facts |= {f"output {x.name}": _tensor(x, target) for x in outputs}
        layers = tuple(_Reader(target, values).layers(outputs))
    return Described(target.name, "network", facts, layers)


class _Reader:
    """Puts the layers of a network into words."""

    def __init__(self, target: NetworkTarget, values: bool) -> None:
        self._target = target
        self._values = values

    def layers(self, outputs: list[Tensor]) -> Iterator[DescribedLayer]:
        nodes = needed(read(self._target.network), outputs)
        made_by = producers(nodes)
        for node in nodes:
            if node.kind != "CONSTANT":
                says = {
                    f"input {i}": self._input(x, made_by.get(x)) for i, x in enumerate(node.inputs) if x is not None
                }
                says |= {f"output {i}": _tensor(x, self._target) for i, x in enumerate(node.outputs)}
                yield DescribedLayer(node.layer.name, self._target.module(node), node.kind, says | self._own(node))

    def _own(self, node: Node) -> dict[str, str]:
        return {name: self._text(value, node, name) for name, value in attributes(node).items()}

    def _input(self, tensor: Tensor, maker: Node | None) -> str:
        text = _tensor(tensor, self._target)
        if maker is None or maker.kind != "CONSTANT":
            return text
        weights = attributes(maker).get("weights")
        digest = f", {self._text(weights, maker, 'weights').partition(', ')[2]}" if self._values else ""
        return f"constant {text}{digest}"

    def _text(self, value: Any, node: Node, name: str) -> str:
        if not isinstance(value, WeightsAttribute) or not self._values:
            return str(value)
        array = self._target.weights.get((node.layer.name, name)) if value.array is None else value.array
        return f"{value}, {'values that TensorRT does not give' if array is None else _digest(array)}"


def _digest(array: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()[:12]


def _tensor(tensor: Tensor, target: NetworkTarget) -> str:
    return f"{shape(sizes(tensor, target.network))} {dtypes.get(tensor.dtype).name}"


def _engine(engine: EngineFile) -> Described:
    facts = _sidecar(engine.sidecar) if engine.sidecar else {}
    facts |= {f"memory: {name}": f"{counted(size, 'byte')}" for name, size in (engine.memory or {}).items()}
    if engine.layers is None:
        return Described(engine.name, "engine", facts, None)
    facts |= {f"layers that write {dtype}": str(n) for dtype, n in precisions(engine.layers).items()}
    facts |= {"inputs and outputs": ", ".join(engine.layers.io)}
    return Described(engine.name, "engine", facts, tuple(map(_engine_layer, engine.layers.layers)))


def _engine_layer(one: EngineLayer) -> DescribedLayer:
    says = {f"input {i}": _engine_tensor(x) for i, x in enumerate(one.inputs)}
    says |= {f"output {i}": _engine_tensor(x) for i, x in enumerate(one.outputs)}
    return DescribedLayer(one.name, one.modules[0] if one.modules else "", one.type, says | {"tactic": one.tactic})


def _engine_tensor(tensor: EngineTensor) -> str:
    return f"{shape(tensor.shape)} {tensor.dtype} {tensor.format}".rstrip()


def _sidecar(sidecar: Sidecar) -> dict[str, str]:
    """All that a sidecar says; the digest of the plan too, which differs where anything does."""
    info = sidecar.info
    facts = {f"input {x.name}": f"{shape(x.shape)} {x.dtype}" for x in info.inputs}
    facts |= {f"output {x.name}": f"{shape(x.shape)} {x.dtype}" for x in info.outputs}
    for index, profile in enumerate(info.profiles):
        facts |= {f"profile {index}: {name}": "  ".join(map(sizes_text, shapes)) for name, shapes in profile.items()}
    written = {"inputs", "outputs", "profiles"}
    for name, value in vars(info).items():
        title = name.replace("_", " ")
        if isinstance(value, Mapping):
            facts |= {f"{title}: {key or 'the model'}": _said(of_it) for key, of_it in value.items()}
        elif name not in written:
            facts[title] = _said(value)
    return facts | {"plan bytes": f"{sidecar.plan_bytes:,}", "plan": sidecar.plan_digest}


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={of_it}" for key, of_it in value.items())
    return f"{len(value)}: {', '.join(map(str, value))}" if isinstance(value, tuple) else str(value)
