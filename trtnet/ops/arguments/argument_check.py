"""How an operation is called: torch's other names of arguments, and errors for what it does not take."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from traceback import walk_tb
from typing import Any

from trtnet.graph import Tensor
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.messages import type_name

OTHER_NAMES = {
    "axis": ("dim",), "keepdims": ("keepdim",), "input": ("x",), "self": ("x",), "other": ("y", "dim"), "mat2": ("y",),
    "vec2": ("y",), "tensor": ("y", "other"), "exponent": ("y", "other"), "axis0": ("dim0",), "axis1": ("dim1",),
    "size": ("shape",), "input1": ("x1",), "input2": ("x2",),
}  # fmt: skip
"""torch's further names of arguments, and the parameters of ours that they may stand for."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, which takes torch's other names of arguments too.

    It raises ModelError for an argument that lacks what every tensor has, or that the operation does not have.
    """
    parameters = inspect.signature(function).parameters
    found = {name: [ours for ours in all_of if ours in parameters] for name, all_of in OTHER_NAMES.items()}
    other = {name: ours[0] for name, ours in found.items() if ours and name not in parameters}

    @functools.wraps(function)
    def operation(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {other.get(name, name): value for name, value in kwargs.items()}
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            given = _flat((*args, *kwargs.values()))
            others = [x for x in given if hasattr(x, "instead_of_ops")]
            if hasattr(Tensor, str(error.name)):
                others += [x for x in given if x is error.obj]
            if not others:
                raise
            wrong = others[0]
            text = f"ops.{function.__name__} takes tensors of the network, found {type_name(wrong)}"
            instead = getattr(wrong, "instead_of_ops", "compute it with numpy, or declare it as an input")
            raise ModelError(here(f"{text}: {instead}")) from error
        except TypeError as error:
            if not _is_of_the_call(error, function):
                raise
            text = str(error).partition("() ")[2] or str(error)
            name = function.__name__
            raise ModelError(here(f"ops.{name} {text}; it is {name}{_signature(function)}")) from error

    return operation


def _is_of_the_call(error: TypeError, function: Callable[..., Any]) -> bool:
    """Whether a function did not take its arguments: the error comes from its caller, not from inside of it."""
    deeper = len(list(walk_tb(error.__traceback__))) - 1
    while hasattr(function, "__wrapped__"):
        function, deeper = function.__wrapped__, deeper - 1
    return deeper == 0


def _signature(function: Callable[..., Any]) -> str:
    """The parameters without their annotations."""
    found, empty = inspect.signature(function), inspect.Signature.empty
    plain = [parameter.replace(annotation=empty) for parameter in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=empty))


def _flat(values: tuple[Any, ...]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list | tuple) else [value])]
