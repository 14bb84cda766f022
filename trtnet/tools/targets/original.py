"""The torch module that a command names, with the checkpoint that its model has."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import trtnet.reference  # noqa: F401  (says which extra brings torch)
from trtnet.checkpoint import shaped
from trtnet.nn import Module
from trtnet.reference.step import to_torch
from trtnet.support.errors import ModelError, WeightsError
from trtnet.support.text.counted import an
from trtnet.tools.targets import models
from trtnet.tools.targets.libraries import Published
from trtnet.tools.targets.weights_choice import WeightsChoice

if TYPE_CHECKING:
    import torch


log = logging.getLogger("trtnet.tools")


def original(name: str, arguments: Mapping[str, Any] = MappingProxyType({})) -> torch.nn.Module:
    """The torch module that a factory makes, with those of the arguments that it takes.

    Raises ModelError for what is not a torch module, with what to name instead of a model of trtnet.
    """
    import torch

    factory = models.find(name)
    module: Any = models.called(factory, models.taken(factory, arguments))
    if isinstance(module, Module):
        raise ModelError(
            f"{name} makes a model of trtnet, not a torch.nn.Module, so it is no reference of itself: name one, in"
            f" compare as the last argument (torch:FILE.py:FACTORY, or what trtnet run {name} --save o.npz"
            f" wrote), in bisect by --torch FILE.py:FACTORY"
        )
    if not isinstance(module, torch.nn.Module):
        found = "nothing" if module is None else an(type(module).__name__)
        raise ModelError(f"{name} returned {found}, not a torch.nn.Module")
    return module


def opened(
    name: str, weights: WeightsChoice, load: bool | None, arguments: Mapping[str, Any] = MappingProxyType({})
) -> tuple[torch.nn.Module, str]:
    """(the torch module that a factory makes, whose weights it has).

    It keeps its own; torch's random numbers begin anew, so that random ones are the same in each run. load: it is given
    those of the file, without rules, which make the keys another model's; by default where its own are none: random
    ones, which are others at each call of the factory.
    Raises ModelError for what is not a torch module, CheckpointError and WeightsError for weights that do not fit it.
    """
    import torch

    torch.manual_seed(0)
    module, file = original(name, arguments), weights.file
    is_random = load is not True and has_random_weights(name, module, arguments)
    if file is None or load is False:
        return module, f"torch:{name} has its own, from its factory{': random ones' if is_random else ''}"
    if load is None and not is_random:
        return module, f"torch:{name} has its own, from its factory, not those of {file}"
    why = "--load" if load else "the factory gives random ones"
    said = f"torch:{name} has those of {file} ({why}): how that file was made is not tested"
    return _with_weights(module, name, weights), said


def own_weights(name: str, module: torch.nn.Module, arguments: Mapping[str, Any]) -> str:
    """What to call the weights that the factory of a module gave it; that they are random is logged."""
    if not has_random_weights(name, module, arguments):
        return f"those that {name} has by itself"
    log.warning("%s has random weights: name a checkpoint by --weights FILE", name)
    return f"random ones of {name}"


def has_random_weights(name: str, module: torch.nn.Module, arguments: Mapping[str, Any]) -> bool:
    """Whether the factory that made a module gives it others each time."""
    factory = models.find(name)
    if isinstance(factory, Published):
        return factory.is_random(arguments)
    return _differ(module, original(name, arguments))


def _differ(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    import torch

    other = second.state_dict()
    return any(key not in other or not torch.equal(value, other[key]) for key, value in first.state_dict().items())


def _with_weights(module: torch.nn.Module, name: str, choice: WeightsChoice) -> torch.nn.Module:
    own, weights = module.state_dict(), choice.file
    shapes = {key: tuple(x.shape) for key, x in own.items() if hasattr(x, "shape")}
    checkpoint = shaped(choice.of_the_original.open_or(module), shapes)
    unexpected = [key for key in checkpoint if key not in own and not any(re.search(p, key) for p in choice.ignore)]
    state = {key: to_torch(checkpoint[key]) for key in checkpoint if key in own}
    try:
        missing, _ = module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise WeightsError(f"{weights} does not fit {name}: {error}") from error
    tied = _shared(module)
    missing = [key for key in missing if key not in tied]
    if missing or unexpected:
        raise WeightsError(
            f"{weights} does not fit {name}: missing {', '.join(missing[:5]) or 'nothing'}, unexpected"
            f" {', '.join(unexpected[:5]) or 'nothing'}. If the factory gives the module its weights, use --no-load.",
            missing,
            unexpected,
        )
    return module


def _shared(module: torch.nn.Module) -> set[str]:
    """Keys of weights that are another key's too: a checkpoint has them once. Those that no checkpoint need have."""
    first: dict[int, str] = {}
    state = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers())}
    return {key for key, tensor in state.items() if first.setdefault(id(tensor), key) != key}
