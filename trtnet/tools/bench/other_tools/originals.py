"""The PyTorch module that a model was written after."""

from __future__ import annotations

import copy
import importlib
from typing import Any

from trtnet.checkpoint import Checkpoint
from trtnet.support.errors import DependencyError, ModelError
from trtnet.tools.targets.importing import imported
from trtnet.tools.targets.models import called, find


def original(factory: str | None, model: str, checkpoint: Checkpoint | None, dtype: str, module: Any = None) -> Any:
    """The torch module of a model, in evaluation mode, on the CPU, of a dtype.

    factory: ``path/to/file.py:factory``, which makes it with its weights; None for `module`, which the model itself
    is, else torchvision's of the same name, with the checkpoint's weights. Raises ModelError if there is none,
    DependencyError without torch or torchvision.
    """
    torch = import_torch()
    if factory is not None:
        found = _from_file(factory)
    elif module is not None:
        found = copy.deepcopy(module)
        if checkpoint is not None:
            load(found, checkpoint)
    else:
        found = _torchvision(model, checkpoint)
    return found.eval().to(getattr(torch, dtype))


def import_torch() -> Any:
    """torch. Raises DependencyError without it."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise DependencyError("--against needs PyTorch: pip install 'trtnet[torch]'") from error


def _from_file(factory: str) -> Any:
    torch, made = import_torch(), called(find(factory), {})
    if not isinstance(made, torch.nn.Module):
        raise ModelError(f"{factory} returned {type(made).__name__}, not a torch.nn.Module")
    return made


def _torchvision(name: str, checkpoint: Checkpoint | None) -> Any:
    models = imported("torchvision.models", "torchvision")
    if not hasattr(models, name):
        raise ModelError(
            f"torchvision has no {name or 'model without a name'}: give its PyTorch original with"
            f" --torch path/to/file.py:factory"
        )
    model = getattr(models, name)()
    if checkpoint is not None:
        load(model, checkpoint)
    return model


def load(model: Any, checkpoint: Checkpoint) -> None:
    """Puts a checkpoint's weights into a torch module. Raises ModelError if they are not the module's."""
    from trtnet.reference.step import to_torch

    found = model.load_state_dict({key: to_torch(checkpoint[key]) for key in checkpoint}, strict=False)
    missing = [key for key in found.missing_keys if not key.endswith("num_batches_tracked")]
    if missing or found.unexpected_keys:
        words = ", ".join((*missing[:3], *found.unexpected_keys[:3]))
        raise ModelError(f"the checkpoint has other weights than torchvision's {type(model).__name__}: {words}")
