"""One convolution in the place of several: their results are slices of its own, as late as that can be.

An activation that follows each of them is one of the whole; a concatenation of them is the whole, or a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trtnet.graph import Network, Tensor
from trtnet.graph.layers.read import Node
from trtnet.graph.layers.wiring import Wiring
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.rewriting.made import Made, module_of, place_of, set_aside
from trtnet.ops.convolutions.rewriting.whole import Whole
from trtnet.ops.elementwise.activation import sigmoid
from trtnet.ops.elementwise.arithmetic import mul
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.backend import trt


@dataclass(frozen=True)
class After:
    """What is read of a convolution: its result, or an activation of it.

    tensor: that. kind: the activation, equal for equal ones: a type and two numbers; () for none. path: its module's.
    """

    tensor: trt.ITensor
    kind: tuple[str | float, ...] = ()
    path: str = ""


@dataclass(frozen=True)
class Part:
    """What is read of a member, and where it is in the whole: channels from start."""

    member: Made
    after: After
    start: int
    size: int


def join(network: Network, whole: Whole, outputs: Sequence[Tensor]) -> None:
    """Makes the one layer, and connects what reads the others."""
    wiring = Wiring(network.trt, [tensor.trt for tensor in outputs])
    parts = _parts(whole.members, wiring)
    members = [part.member for part in parts]
    first = members[0]
    with network.at(place_of([one.path for one in members], first)):
        kernel = np.concatenate([whole.kernel(one) for one in members])
        has_bias = any("bias" in one.convolution.weights for one in members)
        bias = np.concatenate([one.bias for one in members]) if has_bias else None
        geometry = first.geometry
        y = convolution(
            first.image, kernel, bias, geometry.stride, whole.padding, whole.dilation, 1, len(geometry.stride)
        )
    made, kind = y.current, parts[0].after.kind
    assert isinstance(made, PendingLayer)
    with network.at(place_of([part.after.path for part in parts], first)):
        y = _activated(y, kind)
    for node in _readers_that_join([part.after.tensor for part in parts], wiring):
        _concatenate(network, node, parts, y)
    for part in parts:
        _connect(network, part, y, made)


def _parts(members: Sequence[Made], wiring: Wiring) -> list[Part]:
    """The members in the order in which they are joined again, if they are."""
    afters = [_after(one, wiring) for one in members]
    if len({after.kind for after in afters}) > 1:
        afters = [After(one.result, (), one.path) for one in members]
    joints = _readers_that_join([after.tensor for after in afters], wiring)
    order = list(range(len(members)))
    if joints:
        most = max(joints, key=lambda node: sum(after.tensor in node.inputs for after in afters))
        last = len(most.inputs)
        order.sort(key=lambda i: next((k for k, x in enumerate(most.inputs) if x is afters[i].tensor), last))
    parts, start = [], 0
    for i in order:
        parts.append(Part(members[i], afters[i], start, members[i].shape[0]))
        start += members[i].shape[0]
    return parts


def _after(one: Made, wiring: Wiring) -> After:
    """The activation that alone reads a result, as one layer or as ``x * sigmoid(x)``; else the result."""
    readers = wiring.readers.get(one.result, [])
    found = next((node for node in readers if node.kind == "ACTIVATION"), None)
    if found is not None and not wiring.is_output(one.result):
        kind, last = (str(found.layer.type.name), float(found.layer.alpha), float(found.layer.beta)), found
        if len(readers) == 2:
            product = wiring.only_reader(found.outputs[0])
            if product is None or kind[0] != "SIGMOID" or not _is_product(product, one.result, found.outputs[0]):
                return After(one.result, (), one.path)
            kind, last = ("SILU", 0.0, 0.0), product
        if len(readers) <= 2 and wiring.is_movable(last.outputs[0]):
            return After(last.outputs[0], kind, module_of(last))
    return After(one.result, (), one.path)


def _is_product(node: Node, x: trt.ITensor, y: trt.ITensor) -> bool:
    return node.kind == "ELEMENTWISE" and node.layer.op.name == "PROD" and set(node.inputs) == {x, y}


def _activated(y: Tensor, kind: tuple[str | float, ...]) -> Tensor:
    if not kind:
        return y
    name, alpha, beta = kind
    if name == "SILU":
        return mul(y, sigmoid(y))
    arguments = {"input": y, "type": getattr(trt.ActivationType, str(name))}
    (z,) = y.network.add(
        "activation", arguments, attributes={"alpha": alpha, "beta": beta}, name=str(name).lower(), dims=[y.shape]
    )
    return z


def _readers_that_join(tensors: Sequence[trt.ITensor], wiring: Wiring) -> list[Node]:
    """The concatenations by channels that read two of the tensors or more, and whose result can be another's."""
    nodes = {node: None for x in tensors for node in wiring.readers.get(x, ()) if node.kind == "CONCATENATION"}
    return [
        node
        for node in nodes
        if node.layer.axis == 1 and sum(x in tensors for x in node.inputs) > 1 and wiring.is_movable(node.outputs[0])
    ]


def _concatenate(network: Network, node: Node, parts: Sequence[Part], y: Tensor) -> None:
    """A concatenation of runs of parts, each of which is one slice of the whole, with what else it joins."""
    by_tensor = {part.after.tensor: part for part in parts}
    runs: list[list[Part] | trt.ITensor] = []
    for tensor in node.inputs:
        part = by_tensor.get(tensor)
        before = runs[-1] if runs else None
        if part is None:
            runs.append(tensor)
        elif isinstance(before, list) and before[-1].start + before[-1].size == part.start:
            before.append(part)
        else:
            runs.append([part])
    if all(not isinstance(run, list) or len(run) == 1 for run in runs):
        return
    with network.at(place_of([module_of(node)], parts[0].member)):
        joined = [_slice(y, run) if isinstance(run, list) else run for run in runs]
        if len(joined) > 1:
            joined = list(network.add("concatenation", {"inputs": joined}, attributes={"axis": 1}, name="cat"))
    network.replace(node.outputs[0], joined[0].trt)


def _slice(y: Tensor, run: Sequence[Part]) -> Tensor:
    size = sum(part.size for part in run)
    return y if size == y.shape[1] else cut(y, {1: Cut(run[0].start, size)})


def _connect(network: Network, part: Part, y: Tensor, made: PendingLayer) -> None:
    """What reads a member reads a slice."""
    one, after = part.member, part.after
    with network.at(place_of([after.path], one)):
        own = _slice(y, [part])
    network.replace(after.tensor, own.trt)
    set_aside(network, own, one.image)
    if after.kind:
        one.pending.leave(made, after.path)
    else:
        one.pending.become(own.trt)
    one.leave(network)
