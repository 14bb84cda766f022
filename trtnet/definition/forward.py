"""Runs a model's ``forward`` over the inputs of a network, and makes what it returns the network's outputs."""

from __future__ import annotations

from collections.abc import Mapping

from trtnet.definition import caches
from trtnet.definition.results import named_outputs
from trtnet.definition.states import carried, check_declared, chosen
from trtnet.graph import Input, Network, State, Tensor
from trtnet.graph.bind_forward import bound
from trtnet.nn import Module
from trtnet.ops.rewriting import rewrite


def run_forward(network: Network, model: Module, inputs: Mapping[str, Input]) -> None:
    """Adds the inputs, what ``forward`` adds for them, and the outputs. Raises ModelError, and what the model raises.

    A state is written to where the caller's other results are, in its own dtype: see :mod:`trtnet.definition.states`.
    """
    name = type(model).__name__
    states = {key: spec for key, spec in inputs.items() if isinstance(spec, State)}
    check_declared(name, inputs, states)
    inputs = caches.declared(network, inputs)
    entered = {key: _enter(network, network.add_input(key, spec)) for key, spec in inputs.items()}
    given = bound(getattr(model, "forward", model), entered)
    outputs = named_outputs(name, model(*given.args, **given.kwargs))
    if network.quantized.caches:
        outputs = caches.kept(network, name, outputs, chosen(name, outputs, states))
    if states:
        outputs = carried(network, name, outputs, states)
    rewrite(network, list(outputs.values()))
    for key, tensor in outputs.items():
        network.mark_output(key, tensor)


def _enter(network: Network, tensor: Tensor) -> Tensor:
    if tensor.name in network.quantized.caches:
        return caches.entered(network, tensor.name, tensor)
    cast = tensor.dtype.is_floating and tensor.dtype.bits >= 16  # the narrower ones are dequantized, not cast
    if tensor.name in network.division.inputs:
        network.division.add(tensor)
    return tensor.to(network.dtype).fresh() if cast else tensor.fresh()  # network.inputs keeps what the caller gives
