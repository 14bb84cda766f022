"""What a network must compute and move: floating-point operations and bytes, before anything is fused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

from trtnet.graph.layers.kinds import Traffic, kind_of
from trtnet.graph.layers.read import Node, Tensor, needed, producers, read, repetitions, sizes
from trtnet.support import dtypes, provenance
from trtnet.support.backend import trt
from trtnet.support.errors import InputError


@dataclass(frozen=True)
class LayerWork:
    """One layer in one inference, all iterations of the loops around it together.

    module: the path of the module that added it, "" for the model itself. kind: its ``LayerType``. bytes_read: inputs
    and weights. weight_bytes: the weights alone, once: the layer's own, and the constants among its inputs.
    """

    name: str
    module: str
    kind: str
    flops: int
    bytes_read: int
    bytes_written: int
    weight_bytes: int


@dataclass(frozen=True)
class Work:
    """A network in one inference.

    layers: those that the outputs need, in TensorRT's order, without constants. weight_bytes, input_bytes,
    output_bytes: the sizes of all weights that are read, and of the network's inputs and outputs, each once.
    minimum_bytes: the least an engine must move, however it fuses: weights and inputs once (of a table, the elements
    that are taken from it at most), outputs once (of a cache that is updated in place, the update).
    unknown: names of layers of which a part is not in the sums: a shape, or what a plugin does, is not known (counted
    as nothing), a loop's count is not known (counted once), a condition decides (both branches are counted).
    """

    layers: tuple[LayerWork, ...]
    flops: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    minimum_bytes: int
    unknown: tuple[str, ...]


def count(network: trt.INetworkDefinition, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Work:
    """Counts the operations and bytes of one inference; ``trtnet.graph.layers.flops`` says how operations are counted.

    shapes: of inputs with dynamic axes, by name; they hold while this counts, then the network is as before. Each layer
    reads its inputs and weights and writes its outputs once at their dtypes (4-bit types packed); of a table or slice,
    only what is taken. Constants that no needed layer reads do not count. Of rows that are
    computed twice for TensorRT's sake, the operations of one count.
    Raises InputError for shapes that are not of this network, or do not fit it.
    """
    with shaped(network, shapes or {}) as inputs:
        return _Counter(network).work(inputs)


@contextmanager
def shaped(network: trt.INetworkDefinition, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[list[Tensor]]:
    """Gives inputs these shapes while it lasts, by name, and yields all inputs; TensorRT infers the others' again.

    Raises InputError for shapes that are not of this network.
    """
    inputs = {x.name: x for x in map(network.get_input, range(network.num_inputs))}
    before = {name: tuple(tensor.shape) for name, tensor in inputs.items()}
    for name, shape in shapes.items():
        _check(name, tuple(shape), before)
    try:
        for name, shape in shapes.items():
            inputs[name].shape = tuple(shape)
        yield list(inputs.values())
    finally:
        for name in shapes:
            inputs[name].shape = before[name]


def _check(name: str, shape: tuple[int, ...], declared: Mapping[str, tuple[int, ...]]) -> None:
    if name not in declared:
        raise InputError(f"a shape is given for {name!r}; the network has the inputs {', '.join(declared)}")
    wanted = declared[name]
    fits = len(shape) == len(wanted) and all(n in (-1, size) for n, size in zip(wanted, shape, strict=True))
    if not fits or min(shape, default=0) < 0:
        raise InputError(f"input {name} is {list(wanted)} (-1: dynamic), the shape {list(shape)} does not fit it")


class _Counter:
    def __init__(self, network: trt.INetworkDefinition) -> None:
        self.outputs = [network.get_output(index) for index in range(network.num_outputs)]
        nodes = needed(read(network), self.outputs)
        self.producer = producers(nodes)
        self.nodes = [node for node in nodes if node.kind != "CONSTANT"]
        self.times = repetitions(nodes)
        inputs = map(network.get_input, range(network.num_inputs))
        tensors = (x for node in nodes for x in (*node.inputs, *node.outputs) if x is not None)
        self.sizes = {x: sizes(x, network) for x in (*inputs, *tensors)}
        self.unknown: list[str] = []

    def work(self, inputs: Sequence[Tensor]) -> Work:
        layers = tuple(self._layer(node) for node in self.nodes)
        constants = {x for node in self.nodes for x in node.inputs if self._is_constant(x)}
        own = sum(_own_weights(node) for node in self.nodes)
        least = self._least_read()
        written = sum(self._written(self.producer.get(x), x) for x in self.outputs)
        return Work(
            layers=layers,
            flops=sum(one.flops for one in layers),
            weight_bytes=own + sum(map(self._bytes, constants)),
            input_bytes=sum(map(self._bytes, inputs)),
            output_bytes=sum(map(self._bytes, self.outputs)),
            minimum_bytes=own + sum(least.get(x, 0) for x in (*constants, *inputs)) + written,
            unknown=tuple(self.unknown),
        )

    def _layer(self, node: Node) -> LayerWork:
        kind = kind_of(node.kind)
        inputs = [self.sizes[x] for x in node.inputs if x is not None]
        outputs = [self.sizes[x] for x in node.outputs]
        complete = all(-1 not in shape for shape in (*inputs, *outputs))
        operations = kind.flops(node.layer, inputs, outputs) if complete else None
        times = self.times[node]
        if operations is None or times is None or node.kind == "CONDITION":
            self.unknown.append(node.layer.name)
        times = 1 if times is None else times
        own = _own_weights(node)
        free = kind.traffic in (Traffic.NONE, Traffic.SIZES)
        return LayerWork(
            name=node.layer.name,
            module=node.layer.name.rpartition("/")[0],
            kind=node.kind,
            flops=times * (operations or 0) // provenance.rows(node.layer.metadata),
            bytes_read=0 if free else times * (own + sum(self._read(node, i) for i in range(len(node.inputs)))),
            bytes_written=0 if free else times * sum(self._written(node, x) for x in node.outputs),
            weight_bytes=0 if free else own + sum(self._bytes(x) for x in node.inputs if self._is_constant(x)),
        )

    def _is_constant(self, tensor: Tensor) -> bool:
        return tensor in self.producer and self.producer[tensor].kind == "CONSTANT"

    def _bytes(self, tensor: Tensor) -> int:
        """A whole tensor in memory; 0 for one that is absent or of unknown shape."""
        shape = self.sizes.get(tensor, (-1,))
        return 0 if tensor is None or -1 in shape else dtypes.get(tensor.dtype).nbytes(prod(shape))

    def _read(self, node: Node, index: int) -> int:
        """What one execution of a layer reads of an input."""
        whole, traffic = self._bytes(node.inputs[index]), kind_of(node.kind).traffic
        if index == 0 and traffic is Traffic.TAKES:
            return min(whole, self._bytes(node.outputs[0]))
        return 0 if index == 0 and traffic in (Traffic.SIZES, Traffic.UPDATES) else whole

    def _written(self, node: Node | None, tensor: Tensor) -> int:
        """What one execution writes of an output: of a cache, the update."""
        updates = node is not None and kind_of(node.kind).traffic is Traffic.UPDATES
        return self._bytes(node.inputs[1] if node is not None and updates else tensor)

    def _least_read(self) -> dict[Tensor, int]:
        """Of each tensor, what the layer that reads most of it reads, at most all of it."""
        least: dict[Any, int] = {}
        for node in self.nodes:
            for index, tensor in enumerate(node.inputs):
                # what attends to an updated cache reads the cache's input
                cache = index == 0 and kind_of(node.kind).traffic is Traffic.UPDATES
                part = self._bytes(tensor) if cache else (self.times[node] or 1) * self._read(node, index)
                least[tensor] = max(least.get(tensor, 0), min(part, self._bytes(tensor)))
        return least


def _own_weights(node: Node) -> int:
    """Bytes of the weights that are attributes of a layer; TensorRT may give them as ndarrays or as its own type."""
    weights = [getattr(node.layer, attribute) for attribute in kind_of(node.kind).weights]
    return sum(dtypes.get(weight.dtype).nbytes(weight.size) for weight in weights)
