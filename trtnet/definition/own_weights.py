"""The weights that members of a model bring themselves: those of live PyTorch modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from trtnet.checkpoint import Checkpoint, Source, open_checkpoint
from trtnet.checkpoint.joined import Joined
from trtnet.nn import Module
from trtnet.support.arrays import is_torch
from trtnet.support.errors import ModelError
from trtnet.support.source import here


def with_own_weights(model: Module, source: Source | None) -> tuple[Checkpoint | None, dict[str, Any]]:
    """(a checkpoint for a model, with the weights that its torch modules bring, None where there is neither; those).

    A torch module's own weights are taken where the checkpoint has no key of them: one that has some has all.
    """
    given = None if source is None else open_checkpoint(source)
    own: dict[str, Any] = {}
    for path, state in _brought(model):
        if given is None or not any(f"{path}.{key}" in given for key in state):
            own |= {f"{path}.{key}": tensor for key, tensor in state.items()}
    if not own:
        return given, own
    return open_checkpoint(own) if given is None else Joined(given, open_checkpoint(own)), own


class Versions:
    """How often the tensors of torch modules had been written to when a network was defined with them as weights.

    The network shares their memory, but what was computed from them is as it was: of a module that was trained since,
    it would be of both.
    """

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        counted = ((key, each) for key, each in tensors.items() if is_torch(each) and not each.is_inference())
        self._found = [(key, each, each._version) for key, each in counted]

    def check(self) -> None:
        """Raises ModelError for a tensor that was written to since."""
        for key, tensor, version in self._found:
            if tensor._version != version:
                text = f"{key} of the PyTorch module has been written to since the network was defined"
                raise ModelError(here(f"{text}: define it again, or from copy.deepcopy(module)"))


def _brought(model: Module) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, state dict) of the torch modules among the members of a model."""
    if sys.modules.get("torch") is None:
        return
    from trtnet.definition.torch_module import TorchModule  # needs torch

    for path, module in model.named_modules():
        if isinstance(module, TorchModule) and path:
            yield path, module.state()
