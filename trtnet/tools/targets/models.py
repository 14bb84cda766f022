"""Models by name: the zoo's, published libraries', and the user's own files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields as fields_of, is_dataclass
from math import prod
from pathlib import Path
from typing import Any, get_args, get_type_hints

import trtnet.models as zoo
from trtnet.checkpoint.memory import is_module
from trtnet.definition.models import as_module
from trtnet.nn import Buffer, Module
from trtnet.support.errors import ModelError
from trtnet.support.files import is_file
from trtnet.support.source import at, raised_at
from trtnet.support.text.counted import an
from trtnet.support.text.did_you_mean import did_you_mean, nearest
from trtnet.tools.targets.libraries import LIBRARIES, Published, is_published, published
from trtnet.tools.targets.model_file import factory_in

Factory = Callable[..., Any]
"""What makes a model: a Module, or a PyTorch module."""


@dataclass(frozen=True)
class ModelSummary:
    """A line of `trtnet models`."""

    name: str
    description: str
    parameters: int
    inputs: dict[str, str]


def is_model(name: str) -> bool:
    """Whether a command's target is a model, and not a file: a known name, or what looks like a factory's."""
    suffix = Path(name).suffix
    return (
        is_published(name) or name in zoo.__all__ or ".py:" in name or suffix == ".py" or not (suffix or is_file(name))
    )


def may_be_of_torch(name: str) -> bool:
    """Whether a target may be a PyTorch module: one of a library, or what a user's own file makes."""
    return ".py:" in name or any(f"{library}:" in name for library in LIBRARIES)


def find(name: str) -> Factory:
    """The factory behind ``resnet50``, ``torchvision:resnet50`` or ``path/to/file.py:factory``.

    Raises ModelError for a name that is none, or a file that does not load or lacks the factory; DependencyError for a
    library that is not installed.
    """
    if is_published(name):
        return published(name)
    if ".py" in name:
        return factory_in(name)
    if name not in zoo.__all__:
        module, _, factory = name.partition(":")
        mine = f"{module}.py:{factory}" if factory and is_file(f"{module}.py") else ""
        near, known = f"did you mean {mine}?" if mine else did_you_mean(name, zoo.__all__), ", ".join(zoo.__all__)
        raise ModelError(
            f"unknown model {name!r}. The zoo has {known}{f'; {near}' if near else '.'} A model of your own is named as"
            f" path/to/file.py:factory, one of a library as {', '.join(f'{each}:NAME' for each in LIBRARIES)}"
        )
    return getattr(zoo, name)


def create(factory: Factory, arguments: Mapping[str, Any]) -> Module:
    """Calls the factory; a PyTorch module is one in eval mode then. A model that is named itself is what it is.

    Raises ModelError for an argument it does not take, or a result that is not a model.
    """
    model = called(factory, arguments)
    if isinstance(model, Module):
        return model
    if not is_module(model):
        found = "nothing" if model is None else an(type(model).__name__)
        raise ModelError(f"{factory.__name__} returned {found}, neither a trtnet.nn.Module nor a torch.nn.Module")
    made = as_module(model.eval())
    if isinstance(factory, Published):
        made.inputs = factory.inputs(model, arguments)
    return made


def called(factory: Factory, arguments: Mapping[str, Any]) -> Any:
    """What a factory returns; a model that is named itself. Raises ModelError for an argument it does not take."""
    if isinstance(factory, Module) or is_module(factory):
        if arguments:
            raise ModelError(
                f"{an(type(factory).__name__)} is a model, not a factory: it takes no arguments {dict(arguments)}"
            )
        return factory
    known = argument_names(factory)
    for name in arguments:
        if known is not None and name not in known:
            raise ModelError(
                f"{factory.__name__} takes no {name}; {nearest(name, known) if known else 'it takes nothing'}"
            )
    if missing := next((name for name in _required(factory) if name not in arguments), None):
        raise ModelError(f"{factory.__name__} takes {missing}, which has no default: give --arg {missing}=VALUE")
    try:
        return factory(**arguments)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ModelError(at(raised_at(error), f"{factory.__name__}({arguments}): {error}")) from error


def taken(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of several factories' arguments that one takes."""
    known = argument_names(factory)
    return {key: value for key, value in arguments.items() if known is None or key in known}


def _required(factory: Callable[..., Any]) -> list[str]:
    """The arguments without a default that can be given by name."""
    if isinstance(factory, Published):
        return []
    given_by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    parameters = inspect.signature(factory).parameters.items()
    return [name for name, each in parameters if each.default is each.empty and each.kind in given_by_name]


def argument_names(factory: Callable[..., Any]) -> list[str] | None:
    """The arguments that a factory takes, with the fields of its configuration; None if it takes any."""
    if isinstance(factory, Published):
        return None
    parameters = inspect.signature(factory).parameters
    named = [name for name, each in parameters.items() if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    if len(named) == len(parameters) or not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return named
    fields = _configuration_fields(factory)
    return named + fields if fields else None


def _configuration_fields(factory: Callable[..., Any]) -> list[str]:
    """The fields of the dataclass that is the type of a factory's `config`, which it takes by keyword."""
    try:
        hint = get_type_hints(factory).get("config")
    except (NameError, TypeError):  # of a user's own factory: a name for type checkers alone, a callable object
        return []
    classes = [each for each in (hint, *get_args(hint)) if isinstance(each, type) and is_dataclass(each)]
    return [each.name for one in classes for each in fields_of(one)]


def made(name: str, arguments: Mapping[str, Any]) -> Module:
    """The model of a name. Raises as find and create."""
    return create(find(name), arguments)


def summaries() -> list[ModelSummary]:
    """What the zoo has."""
    return [_summary(name, find(name)) for name in zoo.__all__]


def _summary(name: str, factory: Factory) -> ModelSummary:
    model = factory()
    parameters = {p: prod(p.shape) for _, p in model.named_parameters() if not isinstance(p, Buffer)}
    inputs = {key: f"[{', '.join(map(str, spec.shape))}]" for key, spec in model.inputs.items()}
    return ModelSummary(name, inspect.getdoc(factory) or "", sum(parameters.values()), inputs)
