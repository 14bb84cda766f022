"""The values that a module of ours is given and gives, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from trtnet.graph import Tensor
from trtnet.graph.calls import Call, tensors
from trtnet.nn import Module
from trtnet.verify.metrics import Array
from trtnet.verify.pairs import Value


def argument_names(call: Call) -> list[str]:
    """For each tensor of the call's inputs, the name of the argument of ``forward`` that has it."""
    given: Mapping[str, object] = inspect.signature(call.module.forward).bind(*call.args, **call.kwargs).arguments
    placed = [(name, tensor) for name, value in given.items() for tensor in tensors(value)]
    names = {id(tensor): name for name, tensor in reversed(placed)}
    return [names[id(tensor)] for tensor in call.inputs]


def is_leaf(module: Module) -> bool:
    """Whether there are no modules in it."""
    return not any(isinstance(child, Module) for _, child in module.members())


def known(values: Mapping[str, Array], tensors: Sequence[Tensor], names: Sequence[str]) -> list[Value | None]:
    """The recorded values of tensors, under other names; None for those that nothing computed."""
    found = (values.get(tensor.name) for tensor in tensors)
    return [None if array is None else Value(name, array) for name, array in zip(names, found, strict=True)]
