"""Walks a built network and executes its layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from trtnet.reference.execution import Execution, Observer
from trtnet.reference.schedule import schedule
from trtnet.reference.step import describe, to_numpy, to_torch
from trtnet.reference.table import is_collective
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.call_interface import StateInfo, TensorInfo, bind, check, is_torch, returned
from trtnet.support.errors import ExecutionError, InputError
from trtnet.support.ranks import Rank
from trtnet.support.size_limit import SizeLimits

Exchange = Callable[[trt.ILayer, torch.Tensor], torch.Tensor]


class Reference:
    """A built network as the CPU executes it, called like an engine.

    It reads TensorRT's layers back, so it executes what TensorRT was told, whoever wrote the network. Everything is
    computed in float32 and each layer's result rounded to the dtype TensorRT declares for it; with exact=True floating
    values stay float32 between layers.

    network: the ``INetworkDefinition``, with its outputs marked. weights: arrays that TensorRT does not give back
    (bfloat16, float8, ...), by (layer name, attribute), as ``Network.weights`` has them. owner: what must live as long.
    plugins: what plugin layers compute, by layer name. limits: of named dimensions. rank: whose part of a larger one it
    is: see :class:`trtnet.Lockstep`.
    states: the inputs that get what an output of the call before gave; a call is given them, :class:`trtnet.Streams`
    gives them by itself. outputs: as whoever wrote the network knows them; TensorRT knows no names of their axes.
    rows: of the tables that inputs of indices choose from, by the inputs' names.
    Raises ExecutionError for a layer it does not know.
    """

    def __init__(
        self,
        network: trt.INetworkDefinition,
        weights: Mapping[tuple[str, str], np.ndarray[Any, Any]] | None = None,
        *,
        exact: bool = False,
        owner: object = None,
        plugins: Mapping[str, Reference] | None = None,
        limits: SizeLimits | None = None,
        rank: Rank | None = None,
        states: Sequence[StateInfo] = (),
        outputs: Sequence[TensorInfo] = (),
        rows: Mapping[str, int] = {},
    ) -> None:
        self.owner = owner
        self.rank = rank or Rank()
        self.plugins = plugins or {}
        self.limits = limits or SizeLimits()
        self.states = tuple(states)
        self.network = network
        self.weights = weights or {}
        self.exact = exact
        self._inputs = [network.get_input(i) for i in range(network.num_inputs)]
        self._outputs = [network.get_output(i) for i in range(network.num_outputs)]
        self._plan = schedule(network, self._outputs)
        self.inputs = tuple(replace(_info(tensor), rows=rows.get(tensor.name, 0)) for tensor in self._inputs)
        self.outputs = tuple(outputs) or tuple(_info(tensor) for tensor in self._outputs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the network: inputs by position or by name, all numpy arrays or all torch tensors on the CPU.

        Returns an array of the same kind for one output, several as
        :class:`trtnet.support.call_interface.NamedOutputs`: values in order, and by name. They are the caller's own: no
        memory of an input, of another output or of a constant. Raises InputError for inputs that do not fit,
        ExecutionError for a layer that does not take what it meets.
        """
        return self.observed(bind(self.inputs, args, kwargs))

    def observed(self, arrays: Mapping[str, Any], observe: Observer | None = None) -> Any:
        """The same with inputs by name; `observe` sees every layer with its results."""
        kinds = {is_torch(array) for array in arrays.values()}
        if len(kinds) > 1:
            raise InputError("the inputs mix numpy arrays and torch tensors; give all of one kind")
        problem = self.limits.problem(check(self.inputs, arrays))
        if problem:
            raise InputError(problem)
        numpy = kinds == {False}
        feeds = {name: to_torch(np.asarray(a)) if numpy else a.detach().cpu() for name, a in arrays.items()}
        results = self.run(feeds, observe)
        # outside of inference mode a clone is a plain tensor, and it shares no memory with an input or another output
        own = {name: result.clone() for name, result in results.items()}
        return returned({name: to_numpy(result) if numpy else result for name, result in own.items()})

    def _plugin(self, exchange: Exchange | None, layer: trt.ILayer, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        """What a plugin layer computes, by its decomposition; what a collective gives, by the exchange of the ranks."""
        if is_collective(layer):
            if exchange is None:
                text = "a collective needs all ranks, and this reference is one: trtnet.Lockstep runs them together"
                raise ExecutionError(f"{describe(layer)}: {text}")
            return [exchange(layer, inputs[0])]
        if layer.name not in self.plugins:
            raise ExecutionError(
                f"{describe(layer)}: the reference does not know what this plugin computes: declare it with ops.custom"
            )
        apart = self.plugins[layer.name]
        return list(apart.run({str(index): x for index, x in enumerate(inputs)}).values())

    def run(
        self, feeds: Mapping[str, torch.Tensor], observe: Observer | None = None, exchange: Exchange | None = None
    ) -> dict[str, torch.Tensor]:
        """Outputs by name from inputs by name, unchecked; `observe` sees every layer with its results.

        exchange: what a collective layer gives for its input, of a network that is one rank's.
        """
        execution = Execution(self.weights, self.exact, observe, functools.partial(self._plugin, exchange))
        values = {tensor: execution.stored(feeds[tensor.name], tensor) for tensor in self._inputs}
        with torch.inference_mode():
            execution.run(self._plan, values)
        return {tensor.name: values[tensor] for tensor in self._outputs}


def _info(tensor: trt.ITensor) -> TensorInfo:
    shape = tuple(
        size if size >= 0 else tensor.get_dimension_name(axis) or f"{tensor.name}.{axis}"
        for axis, size in enumerate(tensor.shape)
    )
    return TensorInfo(tensor.name, shape, dtypes.get(tensor.dtype).name)
