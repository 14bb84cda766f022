"""The weights that members of a model bring themselves: those of live PyTorch modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from trtnet.checkpoint import Checkpoint, Source, open_checkpoint
from trtnet.checkpoint.joined import Joined
from trtnet.nn import Module


def with_own_weights(model: Module, source: Source | None) -> Checkpoint | None:
    """A checkpoint for a model, with the weights that its torch modules bring; None where there is neither.

    A torch module's own weights are taken where the checkpoint has no key of them: one that has some has all.
    """
    given = None if source is None else open_checkpoint(source)
    own: dict[str, Any] = {}
    for path, state in _brought(model):
        if given is None or not any(f"{path}.{key}" in given for key in state):
            own |= {f"{path}.{key}": tensor for key, tensor in state.items()}
    if not own:
        return given
    return open_checkpoint(own) if given is None else Joined(given, open_checkpoint(own))


def _brought(model: Module) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, state dict) of the torch modules among the members of a model."""
    if sys.modules.get("torch") is None:
        return
    from trtnet.definition.torch_module import TorchModule  # needs torch

    for path, module in model.named_modules():
        if isinstance(module, TorchModule) and path:
            yield path, module.state()
