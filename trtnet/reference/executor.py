"""Walks a built network and executes its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trtnet import dtypes
from trtnet.backend import trt
from trtnet.calling import TensorInfo, bind, check, is_torch
from trtnet.errors import InputError, ReferenceError
from trtnet.reference.step import Step, describe, to_numpy, to_torch, widen
from trtnet.reference.table import LAYERS, LayerFunction

Observer = Callable[[trt.ILayer, list[torch.Tensor]], None]


@dataclass(frozen=True)
class _Node:
    """A layer with its function and its tensors; `spent` are the tensors nobody needs after it."""

    layer: trt.ILayer
    function: LayerFunction
    inputs: list[trt.ITensor | None]
    outputs: list[trt.ITensor]
    spent: list[trt.ITensor]


class Reference:
    """A built network as the CPU executes it, called like an engine.

    It reads TensorRT's layers back, so it executes what TensorRT was told, whoever wrote the network. Everything is
    computed in float32 and each layer's result rounded to the dtype TensorRT declares for it; with exact=True floating
    values stay float32 between layers.

    network: the ``INetworkDefinition``, with its outputs marked. weights: arrays that TensorRT does not give back
    (bfloat16, float8, ...), by (layer name, attribute), as ``Network.weights`` has them. owner: what must live as long.
    Raises ReferenceError for a layer it does not know.
    """

    def __init__(
        self,
        network: trt.INetworkDefinition,
        weights: Mapping[tuple[str, str], np.ndarray[Any, Any]] | None = None,
        *,
        exact: bool = False,
        owner: object = None,
    ) -> None:
        self.owner = owner
        self.network = network
        self.weights = weights or {}
        self.exact = exact
        self._inputs = [network.get_input(i) for i in range(network.num_inputs)]
        self._outputs = [network.get_output(i) for i in range(network.num_outputs)]
        self._nodes = _schedule(network, self._outputs)
        self.inputs = tuple(_info(tensor) for tensor in self._inputs)
        self.outputs = tuple(_info(tensor) for tensor in self._outputs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the network: inputs by position or by name, all numpy arrays or all torch tensors on the CPU.

        Returns an array of the same kind for one output, a dict by name for several.
        Raises InputError for inputs that do not fit.
        """
        arrays = bind(self.inputs, args, kwargs)
        kinds = {is_torch(array) for array in arrays.values()}
        if len(kinds) > 1:
            raise InputError("the inputs are numpy arrays and torch tensors; give all of one kind")
        check(self.inputs, arrays)
        numpy = kinds == {False}
        results = self.run({name: to_torch(np.asarray(a)) if numpy else a.cpu() for name, a in arrays.items()})
        outputs = {name: to_numpy(result) if numpy else result for name, result in results.items()}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def run(self, feeds: Mapping[str, torch.Tensor], observe: Observer | None = None) -> dict[str, torch.Tensor]:
        """Outputs by name from inputs by name, unchecked; `observe` sees every layer with its results."""
        values = {tensor: self._stored(feeds[tensor.name], tensor) for tensor in self._inputs}
        with torch.inference_mode():
            for node in self._nodes:
                results = self._execute(node, [None if t is None else values[t] for t in node.inputs])
                values.update(zip(node.outputs, results, strict=True))
                if observe is not None:
                    observe(node.layer, results)
                for tensor in node.spent:
                    del values[tensor]
        return {tensor.name: values[tensor] for tensor in self._outputs}

    def _execute(self, node: _Node, inputs: list[torch.Tensor | None]) -> list[torch.Tensor]:
        wide = [None if x is None else widen(x) for x in inputs]
        results = node.function(Step(node.layer, wide, self.weights))
        return [self._stored(x, tensor, node.layer) for x, tensor in zip(results, node.outputs, strict=True)]

    def _stored(self, x: torch.Tensor, tensor: trt.ITensor, layer: trt.ILayer | None = None) -> torch.Tensor:
        """A value in the dtype its tensor has, after a check that it is what TensorRT expects there."""
        declared = dtypes.get(tensor.dtype)
        shape = tuple(tensor.shape)
        fits = len(shape) == x.ndim and all(n in (-1, size) for n, size in zip(shape, x.shape, strict=True))
        if layer is not None and not (fits and declared.is_floating == x.is_floating_point()):
            raise ReferenceError(
                f"{describe(layer)}: the reference computed {list(x.shape)} {dtypes.get(x.dtype)}, TensorRT declares"
                f" {list(shape)} {declared}"
            )
        if declared.is_floating and self.exact:
            return widen(x)
        return x.to(getattr(torch, declared.name))


def _info(tensor: trt.ITensor) -> TensorInfo:
    shape = tuple(
        size if size >= 0 else tensor.get_dimension_name(axis) or f"{tensor.name}.{axis}"
        for axis, size in enumerate(tensor.shape)
    )
    return TensorInfo(tensor.name, shape, dtypes.get(tensor.dtype).name)


def _schedule(network: trt.INetworkDefinition, wanted: list[trt.ITensor]) -> list[_Node]:
    """The layers the outputs need, in an order of execution (TensorRT's own need not be one)."""
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    producer = {layer.get_output(i): layer for layer in layers for i in range(layer.num_outputs)}
    order: list[trt.ILayer] = []
    done: set[int] = set()
    begun: set[int] = set()  # a loop's layers stand in a circle
    stack = [(producer[tensor], False) for tensor in reversed(wanted) if tensor in producer]
    while stack:
        layer, expanded = stack.pop()
        if id(layer) in done:
            continue
        if expanded:
            done.add(id(layer))
            order.append(layer)
            continue
        if id(layer) in begun:
            continue
        begun.add(id(layer))
        stack.append((layer, True))
        stack += [(producer[x], False) for x in _inputs(layer) if x is not None and x in producer]
    return _nodes(order, set(wanted))


def _nodes(order: list[trt.ILayer], kept: set[trt.ITensor]) -> list[_Node]:
    last_use: dict[trt.ITensor, int] = {}
    for index, layer in enumerate(order):
        outputs = [layer.get_output(i) for i in range(layer.num_outputs)]
        last_use.update((x, index) for x in (*outputs, *_inputs(layer)) if x is not None)
    spent: list[list[trt.ITensor]] = [[] for _ in order]
    for tensor, index in last_use.items():
        if tensor not in kept:
            spent[index].append(tensor)
    return [_node(layer, spent[index]) for index, layer in enumerate(order)]


def _node(layer: trt.ILayer, spent: list[trt.ITensor]) -> _Node:
    kind = trt.ILayer.type.fget(layer).name
    if kind not in LAYERS:
        raise ReferenceError(f"{describe(layer)}: the reference does not execute {kind} layers")
    outputs = [layer.get_output(i) for i in range(layer.num_outputs)]
    class_name, function = LAYERS[kind]
    layer.__class__ = getattr(trt, class_name)
    return _Node(layer, function, _inputs(layer), outputs, spent)


def _inputs(layer: trt.ILayer) -> list[trt.ITensor | None]:
    return [layer.get_input(i) for i in range(layer.num_inputs)]
