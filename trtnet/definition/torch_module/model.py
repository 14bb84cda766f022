"""A PyTorch module as define takes a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from trtnet.definition.torch_module.exchanged import exchanged
from trtnet.definition.torch_module.outputs import outputs
from trtnet.definition.torch_module.part import TorchPart, parts_of
from trtnet.definition.torch_module.symbolic import SymbolicTensor, replaced
from trtnet.definition.torch_module.tracing import Tracing
from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph import Network, Parameter, Tensor, current
from trtnet.graph.calls import Call
from trtnet.support.errors import ModelError
from trtnet.support.source import here


def adopted(model: Any) -> Any:
    """A torch module as a model; anything else as it is. Raises ModelError for a module in training mode."""
    return TorchModel(model) if isinstance(model, torch.nn.Module) else model


class TorchModel(TorchPart):
    """A PyTorch module: its ``forward`` over symbolic tensors, its state dict's keys, its tree of modules.

    The module is not changed: attributes that its ``forward`` sets are put back.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        training = [path or type(module).__name__ for path, each in module.named_modules() if each.training]
        if module.training:
            raise ModelError(here(f"{type(module).__name__} is in training mode: a network is for inference, eval()"))
        if training:
            raise ModelError(here(f"{training[0]} is in training mode: call {type(module).__name__}.eval()"))
        weights = ModuleWeights(module)
        super().__init__(module, weights, parts_of(module, weights))
        self.parts[module] = self
        self.__class__ = type(type(module).__name__, (TorchModel,), {"__doc__": type(module).__doc__})

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """(path, module) of the module and all below it; one that has several paths, by the first."""
        return ((path, self.parts[each]) for path, each in self.module.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(key, parameter) of the state dict."""
        return iter(self.weights.keys())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        network = current()
        place = next((each.device for each in self.module.parameters()), torch.device("cpu"))
        tracing = Tracing(network, self.weights, place)
        kept = {each: dict(each.__dict__) for each in self.module.modules()}
        try:
            with torch.no_grad(), exchanged(_calling(network, tracing, self.parts)), tracing:
                result = self.module(*tracing.left(args), **tracing.left(kwargs))
        finally:
            for each, attributes in kept.items():
                each.__dict__.clear()
                each.__dict__.update(attributes)
        return outputs(result)


def _calling(network: Network, tracing: Tracing, parts: Mapping[torch.nn.Module, TorchPart]) -> Any:
    """How modules are called: with their layers under their path, in their dtype, and noted for taps."""

    def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        part = parts.get(module)
        path = network.modules.get(part)
        if path is None:
            return module._wrapped_call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]
        outside = network.dtype
        with network.scope(path):
            inside = network.dtype
            given = network.boundary.convert(_values((args, kwargs)), outside, inside)
            before = replaced(given, _fresh)
            entered = tracing.left(given, _known((args, kwargs)))
            result = module._wrapped_call_impl(*entered[0], **entered[1])  # type: ignore[no-untyped-call]
            network.calls.append(Call(path, part, before[0], before[1], replaced(_values(result), _fresh)))
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
