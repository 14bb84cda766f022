"""`trtnet inspect` of a model or an ONNX file: its module tree, and what each module is in TensorRT.

FLOPs and bytes are those of ``trtnet.graph.layers.work``: of one inference, before anything is fused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, TypeVar

from trtnet.graph.layers.read import Node, Tensor, needed, read, sizes
from trtnet.graph.layers.work import LayerWork, Work, count
from trtnet.graph.place import is_in
from trtnet.nn import Buffer, Module
from trtnet.support import dtypes
from trtnet.support.call_interface import TensorInfo
from trtnet.tools.targets.networks import NetworkTarget, inputs_of

_Item = TypeVar("_Item")
_OUTSIDE = None
"""Who reads a network's outputs, where others have the path of a module."""


@dataclass(frozen=True)
class ModuleSummary:
    """A module with all that is below it.

    path: "" for the model itself. type: its class, "" where only layer names tell of it. outputs: what it hands to
    others, at the sizes counted for; none where TensorRT has no layer of it, as of a batch norm that went into a
    convolution. parameters: elements that training learns, shared ones once. weight_bytes: of weights as the network
    has them. bytes: read and written by its layers, one by one. layers: how many of each kind, without constants.
    """

    path: str
    type: str
    outputs: tuple[TensorInfo, ...]
    parameters: int
    weight_bytes: int
    flops: int
    bytes: int
    layers: dict[str, int]

    @property
    def depth(self) -> int:
        return self.path.count(".") + 1 if self.path else 0


@dataclass(frozen=True)
class NetworkSummary:
    """A network. sizes: of its dynamic dimensions, as counted; assumed: those of them that nobody gave.

    modules: the model itself first, each before those in it. work: the totals. forms: of each kind of operation that a
    module has, by its path; forms_by: who chose it.
    """

    name: str
    backend: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    sizes: dict[str, int]
    assumed: tuple[str, ...]
    modules: tuple[ModuleSummary, ...]
    work: Work
    forms: dict[str, dict[str, str]]
    forms_by: dict[str, dict[str, str]]


def summarize(target: NetworkTarget) -> NetworkSummary:
    """Counts a network by module. Raises InputError if it does not take the sizes."""
    with target.shaped():
        outputs = [target.network.get_output(index) for index in range(target.network.num_outputs)]
        work = count(target.network)
        modules = tuple(_modules(target, outputs, work))
        infos = tuple(_info(x, target) for x in outputs)
    inputs = inputs_of(target.network)
    return NetworkSummary(
        target.name,
        target.backend,
        inputs,
        infos,
        dict(target.sizes),
        target.assumed,
        modules,
        work,
        target.forms.chosen,
        target.forms.by,
    )


def to_json(summary: NetworkSummary) -> dict[str, Any]:
    """The summary, for a program."""
    return asdict(summary)


def _modules(target: NetworkTarget, outputs: Sequence[Tensor], work: Work) -> Iterator[ModuleSummary]:
    nodes = [node for node in needed(read(target.network), outputs) if node.kind != "CONSTANT"]
    placed = [(target.module(node), node) for node in nodes]
    handed_on = _handed_on(placed, outputs)
    layers = _gathered(zip((path for path, _ in placed), work.layers, strict=True))
    for path in list(target.modules) or _tree(path for path, _ in placed):
        module = target.modules.get(path)
        yield _summary(path, module, layers[path], tuple(_info(x, target) for x in handed_on[path]))


def _summary(
    path: str, module: Module | None, layers: Sequence[LayerWork], outputs: tuple[TensorInfo, ...]
) -> ModuleSummary:
    return ModuleSummary(
        path=path,
        type=type(module).__name__ if module else "",
        outputs=outputs,
        parameters=_parameters(module) if module else 0,
        weight_bytes=sum(one.weight_bytes for one in layers),
        flops=sum(one.flops for one in layers),
        bytes=sum(one.bytes_read + one.bytes_written for one in layers),
        layers=dict(Counter(one.kind for one in layers).most_common()),
    )


def _parameters(module: Module) -> int:
    learned = {p for _, p in module.named_parameters() if not isinstance(p, Buffer)}
    return sum(prod(parameter.shape) for parameter in learned)


def _info(tensor: Tensor, target: NetworkTarget) -> TensorInfo:
    return TensorInfo(tensor.name, sizes(tensor, target.network), dtypes.get(tensor.dtype).name)


def _handed_on(placed: Sequence[tuple[str, Node]], outputs: Sequence[Tensor]) -> dict[str, list[Tensor]]:
    """By module, the tensors that are made in it and read outside of it; no sizes of tensors."""
    readers: dict[Tensor, set[str | None]] = defaultdict(set)
    for path, node in placed:
        for tensor in node.inputs:
            readers[tensor].add(path)
    for tensor in outputs:
        readers[tensor].add(_OUTSIDE)
    found: dict[str, list[Tensor]] = defaultdict(list)
    for path, node in placed:
        for tensor in node.outputs:
            for module in _upwards(path):
                outside = (reader is _OUTSIDE or not is_in(reader, module) for reader in readers[tensor])
                if not tensor.is_shape_tensor and any(outside):
                    found[module].append(tensor)
    return found


def _gathered(items: Iterable[tuple[str, _Item]]) -> dict[str, list[_Item]]:
    """Each item in its module and in all above it."""
    found: dict[str, list[_Item]] = defaultdict(list)
    for path, item in items:
        for module in _upwards(path):
            found[module].append(item)
    return found


def _tree(paths: Iterable[str]) -> list[str]:
    """All modules that the paths go through, in the order they come up in, each before those in it."""
    order: dict[str, int] = {}
    for path in paths:
        for module in reversed(_upwards(path)):
            order.setdefault(module, len(order))
    return sorted(order, key=lambda path: [order[module] for module in reversed(_upwards(path))])


def _upwards(path: str) -> list[str]:
    """``"a.b"`` -> ``["a.b", "a", ""]``."""
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts), -1, -1)]
