"""What define takes as a model: a trtnet Module, or a PyTorch module."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from trtnet.checkpoint.memory import is_module
from trtnet.nn import Module
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.messages import type_name

if TYPE_CHECKING:
    import torch

Model: TypeAlias = "Module | torch.nn.Module"
"""A definition of a network: a Module of trtnet's, or a PyTorch module in eval mode."""


def as_module(model: Model) -> Module:
    """A model as a Module: a PyTorch module's tree and its ``forward``; a Module as it is.

    Raises ModelError for anything else, and for a PyTorch module that no network can be of.
    """
    if isinstance(model, type):
        raise ModelError(here(f"define takes a model, found the class {model.__name__}: call it, {model.__name__}()"))
    if isinstance(model, Module):
        return model
    if not is_module(model):
        name = getattr(model, "__name__", "") if callable(model) else ""
        found = f"the function {name}: call it, {name}()" if name else type_name(model)
        raise ModelError(here(f"define takes a trtnet.nn.Module or a torch.nn.Module, found {found}"))
    from trtnet.definition.torch_module import TorchModel  # needs torch

    return TorchModel(model)


def torch_module_of(model: Module) -> Any:
    """The PyTorch module that a model is of; None for a model of trtnet's."""
    if "torch" not in sys.modules:
        return None
    from trtnet.definition.torch_module import TorchModel

    return model.torch_module if isinstance(model, TorchModel) else None
