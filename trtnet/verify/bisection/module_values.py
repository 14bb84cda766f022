"""The values that a module of ours is given and gives, by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence

from trtnet.graph import Tensor
from trtnet.graph.calls import Call, tensors
from trtnet.nn import Module
from trtnet.verify.bisection.pairs import Value
from trtnet.verify.metrics.array_metrics import Array


def argument_names(call: Call) -> list[str]:
    """For each tensor of the call's inputs, the name of the argument of ``forward`` that has it."""
    given: Mapping[str, object] = inspect.signature(call.module.forward).bind(*call.args, **call.kwargs).arguments
    placed = [(name, tensor) for name, value in given.items() for tensor in tensors(value)]
    names = {id(tensor): name for name, tensor in reversed(placed)}
    return [names[id(tensor)] for tensor in call.inputs]


def result_names(call: Call) -> list[str]:
    """For each tensor of the call's outputs, its key in a dict; else "output", numbered where there are several."""
    keys = list(_keys("output", call.result))
    return [f"output{i}" if key == "output" and len(keys) > 1 else key for i, key in enumerate(keys)]


def _keys(name: str, value: object) -> Iterator[str]:
    if isinstance(value, Tensor):
        yield name
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _keys(str(key), item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _keys(name, item)


def is_leaf(module: Module) -> bool:
    """Whether there are no modules in it."""
    return not any(isinstance(child, Module) for _, child in module.members())


def known(values: Mapping[str, Array], tensors: Sequence[Tensor], names: Sequence[str]) -> list[Value | None]:
    """The recorded values of tensors, under other names; None for those that nothing computed."""
    found = (values.get(tensor.name) for tensor in tensors)
    return [None if array is None else Value(name, array) for name, array in zip(names, found, strict=True)]
