"""A built network, read back from TensorRT: its layers with their own classes, which are needed, how often they run.

Needs no torch, as the reference executor does, and computes no values but those of loop counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from trtnet.graph.layers.kinds import kind_of
from trtnet.support.backend import lookup, trt
from trtnet.support.diagnostics import ErrorRecorder
from trtnet.support.errors import InputError

Tensor = Any  # TensorRT's ITensor

OPERATIONS = {
    "SUM": np.add,
    "SUB": np.subtract,
    "PROD": np.multiply,
    "FLOOR_DIV": np.floor_divide,
    "MAX": np.maximum,
    "MIN": np.minimum,
}
"""``ElementWiseOperation``, as the sizes of dynamic axes use it."""


@dataclass(frozen=True, eq=False)
class Node:
    """One layer. kind: its ``LayerType``. inputs: None for an optional one that is absent."""

    layer: trt.ILayer
    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read(network: trt.INetworkDefinition) -> list[Node]:
    """All layers, in TensorRT's order, which need not be one of execution."""
    return [_node(network.get_layer(index)) for index in range(network.num_layers)]


def _node(layer: trt.ILayer) -> Node:
    kind = _kind(layer)
    if cls := kind_of(kind).cls:
        layer.__class__ = lookup(cls)
    inputs = tuple(layer.get_input(index) for index in range(layer.num_inputs))
    return Node(layer, kind, inputs, tuple(layer.get_output(index) for index in range(layer.num_outputs)))


def _kind(layer: trt.ILayer) -> str:
    return str(trt.ILayer.type.fget(layer).name)  # `layer.type` means something else once the layer has its own class


def sizes(tensor: Tensor, network: trt.INetworkDefinition) -> tuple[int, ...]:
    """A tensor's shape as TensorRT infers it now, -1 for what it does not know.

    Raises InputError with TensorRT's words if the shapes of the inputs do not fit the layer that makes the tensor. In a
    network with conditionals they need not fit the branch that is not taken: there the shape is [-1].
    """
    shape = _inferred(tensor)
    if shape is not None:
        return shape
    recorder = network.error_recorder
    words = recorder.take() if isinstance(recorder, ErrorRecorder) else []
    if any(_kind(network.get_layer(index)) == "CONDITION" for index in range(network.num_layers)):
        return (-1,)
    raise InputError(f"the shapes do not fit the network: {'; '.join(words) or tensor.name}")


def _inferred(tensor: Tensor) -> tuple[int, ...] | None:
    try:
        return tuple(tensor.shape)
    except (RuntimeError, ValueError):  # ValueError: TensorRT up to 11.1 gives a negative rank
        return None


def needed(nodes: Sequence[Node], outputs: Iterable[Tensor]) -> list[Node]:
    """The layers that the outputs need, and assertions, in the order given; the others TensorRT drops."""
    producer = producers(nodes)
    steering = _steering(nodes)
    stack = [producer[x] for x in outputs if x in producer] + [node for node in nodes if node.kind == "ASSERTION"]
    found: set[Node] = set()
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += [producer[x] for x in node.inputs if x in producer]
            stack += steering.get(_owner(node), ())
    return [node for node in nodes if node in found]


def producers(nodes: Iterable[Node]) -> dict[Tensor, Node]:
    """The layer that makes each tensor."""
    return {tensor: node for node in nodes for tensor in node.outputs}


def _owner(node: Node) -> Any:
    """The loop or conditional that a layer is a boundary of, None for other layers."""
    boundary = kind_of(node.kind).boundary
    return getattr(node.layer, boundary) if boundary else None


def _steering(nodes: Iterable[Node]) -> dict[Any, list[Node]]:
    """What decides over a loop or conditional, and has no output."""
    found: dict[Any, list[Node]] = {}
    for node in nodes:
        if kind_of(node.kind).side == "decides":
            found.setdefault(_owner(node), []).append(node)
    return found


def repetitions(nodes: Sequence[Node]) -> dict[Node, int | None]:
    """How often each layer runs in one inference: the product of the counts of the loops it is in.

    None in a loop whose count is decided while the engine runs. A layer is in a loop if it computes with what differs
    from iteration to iteration.
    """
    producer = producers(nodes)
    limits = {loop: parts for loop, parts in _steering(nodes).items() if parts[0].kind == "TRIP_LIMIT"}
    bodies = [(_trips(parts, producer), _body(loop, nodes)) for loop, parts in limits.items()]
    return {node: _product(count for count, body in bodies if node in body) for node in nodes}


def _product(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else prod(count for count in known if count is not None)


def _body(loop: Any, nodes: Sequence[Node]) -> set[Node]:
    readers: dict[Tensor, list[Node]] = {}
    starts: dict[Any, list[Node]] = {}
    for node in nodes:
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(node)
        if node.kind in ("ITERATOR", "RECURRENCE"):
            starts.setdefault(node.layer.loop, []).append(node)
    body: set[Node] = set()
    stack = list(starts.get(loop, ()))
    while stack:
        node = stack.pop()
        if node in body or (node.kind == "LOOP_OUTPUT" and node.layer.loop is loop):
            continue
        body.add(node)
        stack += [reader for tensor in node.outputs for reader in readers.get(tensor, ())]
        if node.kind == "TRIP_LIMIT":  # a loop whose count differs from iteration to iteration is inside as a whole
            stack += starts.get(node.layer.loop, ())
    return body


def _trips(limits: Sequence[Node], producer: Mapping[Tensor, Node]) -> int | None:
    counts = [_value(node.inputs[0], producer) if node.layer.kind.name == "COUNT" else None for node in limits]
    known = [int(count.item()) for count in counts if count is not None]
    return max(min(known), 0) if known and len(known) == len(counts) else None


def _value(tensor: Tensor, producer: Mapping[Tensor, Node]) -> np.ndarray[Any, Any] | None:
    """The value of a tensor that is made of constants and of the sizes of tensors; None if it cannot be told."""
    node = producer.get(tensor)
    if node is None:
        return None
    if node.kind == "CONSTANT":
        weights = node.layer.weights
        return weights.reshape(tuple(node.layer.shape)) if isinstance(weights, np.ndarray) else None
    if node.kind == "SHAPE":
        shape = _inferred(node.inputs[0])
        return None if shape is None or -1 in shape else np.array(shape, np.int64)
    operands = [_value(x, producer) for x in node.inputs if x is not None]
    given = [x for x in operands if x is not None]
    return _computed(node, given) if given and len(given) == len(operands) else None


def _computed(node: Node, given: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
    if node.kind in ("SHUFFLE", "SQUEEZE", "UNSQUEEZE", "IDENTITY", "CAST") and given[0].size == 1:
        return given[0].reshape(tuple(node.outputs[0].shape))
    if node.kind == "ELEMENTWISE" and node.layer.op.name in OPERATIONS:
        return np.asarray(OPERATIONS[node.layer.op.name](*given))
    if node.kind == "SLICE" and len(given) == 1 and given[0].ndim == 1:
        (start,), (size,), (stride,) = node.layer.start, node.layer.shape, node.layer.stride
        return given[0][start : start + size * stride : stride]
    return None
