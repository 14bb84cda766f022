"""A PyTorch module as define takes a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from trtnet.definition.torch_module.exchanged import exchanged
from trtnet.definition.torch_module.outputs import outputs
from trtnet.definition.torch_module.symbolic import SymbolicTensor, replaced
from trtnet.definition.torch_module.tracing import Tracing
from trtnet.definition.torch_module.weights import Weights
from trtnet.graph import Network, Parameter, Tensor, current
from trtnet.graph.calls import Call
from trtnet.graph.source import here
from trtnet.nn import Module
from trtnet.support.errors import ModelError


def adopted(model: Any) -> Any:
    """A torch module as a model; anything else as it is. Raises ModelError for a module in training mode."""
    return TorchModel(model) if isinstance(model, torch.nn.Module) else model


class TorchModel(Module):
    """A PyTorch module: its ``forward`` over symbolic tensors, its state dict's keys, its tree of modules.

    The module is not changed: attributes that its ``forward`` sets are put back.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        training = [path or type(module).__name__ for path, each in module.named_modules() if each.training]
        if module.training:
            raise ModelError(here(f"{type(module).__name__} is in training mode: a network is for inference; call eval()"))
        if training:
            raise ModelError(here(f"{training[0]} is in training mode: call {type(module).__name__}.eval()"))
        vars(self).update(module=module, weights=Weights(module))
        paths: dict[Any, str] = {}
        for path, each in module.named_modules(remove_duplicate=False):
            paths.setdefault(each, path)
        vars(self)["paths"] = paths

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """(path, module) of the module and all below it; one that has several paths, by the first."""
        return ((path, each) for each, path in self.paths.items())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(key, parameter) of the state dict."""
        return iter(self.weights.keys())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        network = current()
        place = next((each.device for each in self.module.parameters()), torch.device("cpu"))
        tracing = Tracing(network, self.weights, place)
        kept = {each: dict(vars(each)) for each in self.module.modules()}
        try:
            with torch.no_grad(), exchanged(_calling(network, tracing)), tracing:
                result = self.module(*tracing.left(args), **tracing.left(kwargs))
        finally:
            for each, attributes in kept.items():
                vars(each).clear()
                vars(each).update(attributes)
        return outputs(result)


def _calling(network: Network, tracing: Tracing) -> Any:
    """How modules are called: with their layers under their path, in their dtype, and noted for taps."""

    def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        path = network.modules.get(module)
        if path is None:
            return module._wrapped_call_impl(*args, **kwargs)
        outside = network.dtype
        with network.scope(path):
            inside = network.dtype
            given = network.boundary.convert(_values((args, kwargs)), outside, inside)
            before = replaced(given, _fresh)
            entered = tracing.left(given, _known((args, kwargs)))
            result = module._wrapped_call_impl(*entered[0], **entered[1])
            network.calls.append(Call(path, module, before[0], before[1], replaced(_values(result), _fresh)))
            if inside == outside:
                return result
            return tracing.left(network.boundary.convert(_values(result), inside, outside))

    return call


def _values(structure: Any) -> Any:
    return replaced(structure, lambda x: x.value if isinstance(x, SymbolicTensor) else x)


def _fresh(value: Any) -> Any:
    return value.fresh() if isinstance(value, Tensor) else value


def _known(structure: Any) -> dict[int, SymbolicTensor]:
    found: dict[int, SymbolicTensor] = {}

    def note(value: Any) -> Any:
        if isinstance(value, SymbolicTensor):
            found[id(value.value)] = value
        return value

    replaced(structure, note)
    return found
