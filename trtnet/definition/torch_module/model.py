"""A PyTorch module as define takes a model, and as the tree of modules that the rest of trtnet reads."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from typing import Any

import torch

from trtnet.checkpoint.wrappers import WRAPPERS
from trtnet.definition.torch_module.calling import called
from trtnet.definition.torch_module.refusals import check
from trtnet.definition.torch_module.weights import ModuleWeights
from trtnet.graph import Parameter, Tensor, current
from trtnet.graph.structures import by_names
from trtnet.nn import Module
from trtnet.support.call_interface import output_name
from trtnet.support.errors import ModelError
from trtnet.support.text.counted import an

log = logging.getLogger("trtnet.definition")


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
        parts[module] = self
        self.__class__ = type(type(module).__name__, (type(self),), {"__doc__": type(module).__doc__})

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
        module = vars(self)["torch_module"]
        found = getattr(_unwrapped(module) if name == "forward" else module, name)
        if name == "forward" and getattr(found, "__func__", None) is torch.nn.Module.forward:
            raise AttributeError(f"{type(self).__name__} has no forward()")  # a container
        return found


def _unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """What a wrapper hands its arguments on to, as that of torch.compile and DataParallel do; any other by itself."""
    kinds = {each.kind for each in inspect.signature(module.forward).parameters.values()}
    inner = next((child for name, child in module.named_children() if name in WRAPPERS), None)
    takes_any = kinds == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return _unwrapped(inner) if takes_any and inner is not None else module


class TorchModule(TorchPart):
    """A live PyTorch module as a member of a trtnet Module: ``self.backbone = trtnet.TorchModule(model.backbone)``.

    It is called with tensors of the network, of any shape and dtype, in the structure that its ``forward`` takes, and
    returns tensors in the structure that its ``forward`` returns.
    Weights: its state dict, under the path of the member; its own values unless ``define`` is given others.
    Layer: none of its own, only those of the operations that it calls.
    Raises ModelError for a module in training mode, and for one whose code or weights cannot be read: see ``check``.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        check(module)
        weights, parts = ModuleWeights(module), dict[torch.nn.Module, TorchPart]()
        for each in module.modules():
            if each is not module:
                TorchPart(each, weights, parts)
        super().__init__(module, weights, parts)

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
        """Its result if that is a tensor, else the tensors in it by name; what is not a tensor is left out, and said.

        What is named as an input is ``output.`` before that.
        """
        result = super().__call__(*args, **kwargs)
        if isinstance(result, Tensor):
            return result
        inputs, found = current().inputs, by_names(result)
        if not any(isinstance(value, Tensor) for value in found.values()):
            kinds = ", ".join(an(type(value).__name__) for value in found.values())
            kinds = kinds or ("None" if result is None else "no values")
            text = f"{type(self).__name__}.forward returned {kinds}, in which is no tensor"
            raise ModelError(f"{text}: return tensors, or several in a tuple, list, dict or dataclass")
        for name, value in found.items():
            if not isinstance(value, Tensor):
                log.warning("the module returned %s, %s and no tensor: no output", name, an(type(value).__name__))
        return {output_name(name, inputs): value for name, value in found.items() if isinstance(value, Tensor)}
