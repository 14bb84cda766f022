"""What a network takes: declared as Inputs, or by example tensors, whose shapes and dtypes are the inputs'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from trtnet.checkpoint.memory import is_array
from trtnet.graph import Input
from trtnet.graph.bind_forward import required
from trtnet.graph.structures import joined
from trtnet.nn import Module
from trtnet.support import dtypes
from trtnet.support.errors import DTypeError, ModelError
from trtnet.support.source import here
from trtnet.support.text.did_you_mean import nearest
from trtnet.support.text.messages import type_name

if TYPE_CHECKING:
    import torch

Declared: TypeAlias = "Input | np.ndarray[Any, Any] | torch.Tensor | Sequence[Declared] | Mapping[str, Declared]"
"""An input, an example of it, or a list or dict of them that ``forward`` takes as one argument."""
Axes = Mapping[int, str]
"""The dynamic axes of an example, by name: ``{0: "batch"}``."""


def declared(
    inputs: Mapping[str, Declared], axes: Mapping[str, Axes] = MappingProxyType({}), model: Module | None = None
) -> dict[str, Input]:
    """Inputs by name; those in lists and dicts have the names of both, joined by a dot: ``images.0``.

    axes: by the names of inputs that are given by an example. model: for messages. Raises ModelError for what declares
    no input, for an axis that is missing from an example, and for axes of one name with different sizes.
    """
    if not isinstance(inputs, Mapping):
        raise ModelError(here(f"inputs are a dict, {{'x': trtnet.Input((...))}}; found {inputs!r}"))
    given, called = dict(_named(inputs, "")), "the model" if model is None else type(model).__name__
    if not given:
        raise ModelError(_undeclared(called, model))
    for name in axes:
        if name not in given:
            raise ModelError(here(f"dims names {name!r}, which is not an input of {called}; {nearest(name, given)}"))
        if isinstance(given[name], Input):
            raise ModelError(
                here(
                    f"dims= is for example tensors: write the names into the Input's own shape; {name} is {given[name]}"
                )
            )
    _check_sizes(given, axes)
    return {name: _input(name, value, axes.get(name, {})) for name, value in given.items()}


def _undeclared(called: str, model: Module | None) -> str:
    """That a model has no inputs, and how those that its forward takes are declared; sizes are of an example."""
    takes = [] if model is None or not hasattr(model, "forward") else required(model.forward)
    names = takes or ["x"]
    in_python = ", ".join(f"{name!r}: trtnet.Input(('batch', 3))" for name in names)
    options = " ".join(f"--declare {name}=batch,3" for name in names)
    takes_them = f", and forward takes {', '.join(takes)}" if takes else ""
    return (
        f"{called} does not declare its inputs{takes_them}; give define(inputs={{{in_python}}}), or on the command line"
        f" {options}, with the sizes that the model takes"
    )


def _named(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(item, joined(name, str(key)))
    elif isinstance(value, list | tuple) and not any(isinstance(item, int | str) for item in value):
        for index, item in enumerate(value):
            yield from _named(item, joined(name, str(index)))
    else:
        yield name, value


def _input(name: str, value: Any, axes: Axes) -> Input:
    if isinstance(value, Input):
        return value
    if not is_array(value):
        text = f"input {name} is declared as trtnet.Input(('batch', 8)), or by an example tensor"
        found = f"{value!r}, a shape" if isinstance(value, list | tuple) else type_name(value)
        raise ModelError(here(f"{text}; found {found}"))
    sizes: list[int | str] = list(value.shape)
    for axis, size in axes.items():
        sizes[axis] = size
    try:
        dtype = dtypes.get(value.dtype)
    except DTypeError as error:
        raise ModelError(here(f"input {name}: its example is {value.dtype}: {error}")) from error
    if dtype.trt_name is None:
        raise ModelError(here(f"input {name}: its example is {dtype.name}, which TensorRT does not have; cast it"))
    return Input(tuple(sizes), dtype.name)


def _check_sizes(given: Mapping[str, Any], axes: Mapping[str, Axes]) -> None:
    first: dict[str, tuple[str, int]] = {}
    for name, named in axes.items():
        shape = tuple(given[name].shape)
        for axis, size in named.items():
            if not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
                raise ModelError(here(f"dims: {name} has the shape {list(shape)}, which has no axis {axis!r}"))
            if not isinstance(size, str):
                raise ModelError(here(f"dims: axis {axis} of {name} is given by a name, 'batch'; found {size!r}"))
            other, expected = first.setdefault(size, (name, shape[axis]))
            if expected != shape[axis]:
                text = f"{size} is {expected} in the example of {other}, and {shape[axis]} in that of {name}"
                raise ModelError(here(f"dims: axes with the same name must have the same size; {text}"))
