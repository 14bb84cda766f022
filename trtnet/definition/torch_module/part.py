"""A PyTorch module as the tree of modules that the rest of trtnet reads: bisect, inspect, draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph import Parameter
from trtnet.nn import Module


class TorchPart(Module):
    """A torch module among those of a model: its children and weights are members, its attributes are the module's."""

    module: torch.nn.Module
    weights: ModuleWeights
    parts: dict[torch.nn.Module, TorchPart]

    def __init__(
        self, module: torch.nn.Module, weights: ModuleWeights, parts: dict[torch.nn.Module, TorchPart]
    ) -> None:
        vars(self).update(module=module, weights=weights, parts=parts)  # torch's modules are refused as attributes

    def members(self) -> Iterator[tuple[str, Module | Parameter]]:
        """(name, member): the module's own weights, then its children."""
        own = (*self.module.named_parameters(recurse=False), *self.module.named_buffers(recurse=False))
        for name, tensor in own:
            parameter = self.weights.parameter(tensor)
            if parameter is not None:
                yield name, parameter
        for name, child in self.module.named_children():
            yield name, self.parts[child]

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["module"], name)


def parts_of(module: torch.nn.Module, weights: ModuleWeights) -> dict[torch.nn.Module, TorchPart]:
    """Each module of a tree as a part, of a class that has the name of the module's."""
    parts: dict[torch.nn.Module, TorchPart] = {}
    for each in module.modules():
        kind = type(type(each).__name__, (TorchPart,), {"__doc__": type(each).__doc__})
        parts[each] = kind(each, weights, parts)
    return parts
