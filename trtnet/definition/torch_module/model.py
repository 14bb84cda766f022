"""A PyTorch module as define takes a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trtnet.definition.torch_module.outputs import outputs
from trtnet.definition.torch_module.part import TorchPart, parts_of
from trtnet.definition.torch_module.refusals import check
from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph import Parameter, current


class TorchModule(TorchPart):
    """A live PyTorch module as a member of a trtnet Module: ``self.backbone = trtnet.TorchModule(model.backbone)``.

    It is called with tensors of the network, of any shape and dtype, in whatever structure its ``forward`` takes, and
    returns them in the structure that its ``forward`` returns.
    Weights: its state dict, under the path of the member; its own values where ``define`` is given no others.
    Layer: none of its own, but those of the operations that it calls.
    Raises ModelError for a module in training mode, and for one whose code or weights cannot be read: see ``check``.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        check(module)
        weights = ModuleWeights(module)
        super().__init__(module, weights, parts_of(module, weights))
        self._parts[module] = self
        self.__class__ = type(type(module).__name__, (type(self),), {"__doc__": type(module).__doc__})

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """(path, module) of the module and all below it; one that has several paths, by the first."""
        return ((path, self._parts[each]) for path, each in self.torch_module.named_modules(prefix=prefix))

    def state(self) -> dict[str, Any]:
        """The values of its parameters, by the first key of each."""
        pairs, first = self._weights.keys(), dict[Parameter, str]()
        for key, parameter in pairs:
            first.setdefault(parameter, key)
        state = self.torch_module.state_dict()
        return {key: state[key] for key in first.values()}


class TorchModel(TorchModule):
    """A PyTorch module as the whole model: its state dict's keys, its results as outputs."""

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(key, parameter) of the state dict."""
        return iter(self._weights.keys())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Its results by name: see ``outputs``."""
        return outputs(super().__call__(*args, **kwargs), current().inputs)
