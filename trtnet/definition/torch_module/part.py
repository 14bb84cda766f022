"""A PyTorch module as the tree of modules that the rest of trtnet reads: bisect, inspect, draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trtnet.definition.torch_module.calling import called
from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph import Parameter
from trtnet.nn import Module


class TorchPart(Module):
    """A torch module among those of a model: its children and weights are members, its attributes are the module's."""

    torch_module: torch.nn.Module
    _weights: ModuleWeights
    _parts: dict[torch.nn.Module, TorchPart]

    def __init__(
        self, module: torch.nn.Module, weights: ModuleWeights, parts: dict[torch.nn.Module, TorchPart]
    ) -> None:
        # torch's modules are refused as attributes
        vars(self).update(torch_module=module, _weights=weights, _parts=parts)

    def members(self) -> Iterator[tuple[str, Module | Parameter]]:
        """(name, member): the module's own weights, then its children."""
        own = (*self.torch_module.named_parameters(recurse=False), *self.torch_module.named_buffers(recurse=False))
        for name, tensor in own:
            parameter = self._weights.parameter(tensor)
            if parameter is not None:
                yield name, parameter
        for name, child in self.torch_module.named_children():
            yield name, self._parts[child]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the torch module returns for tensors of the network, with its layers named after the module's path."""
        return called(self.torch_module, self._weights, self._parts, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(vars(self)["torch_module"], name)
        if name == "forward" and getattr(found, "__func__", None) is torch.nn.Module.forward:
            raise AttributeError(f"{type(self).__name__} has no forward()")  # a container
        return found


def parts_of(module: torch.nn.Module, weights: ModuleWeights) -> dict[torch.nn.Module, TorchPart]:
    """Each module of a tree as a part, of a class that has the name of the module's."""
    parts: dict[torch.nn.Module, TorchPart] = {}
    for each in module.modules():
        kind = type(type(each).__name__, (TorchPart,), {"__doc__": type(each).__doc__})
        parts[each] = kind(each, weights, parts)
    return parts
