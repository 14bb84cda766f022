"""What is no tensor where an operation takes one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from trtnet.errors import ModelError
from trtnet.graph import Tensor
from trtnet.graph.report import type_name
from trtnet.graph.source import here


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, which raises ModelError for an argument that lacks what every tensor has."""

    @functools.wraps(function)
    def operation(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            given = any(x is error.obj for x in _flat((*args, *kwargs.values())))
            if not (given and hasattr(Tensor, str(error.name))):
                raise
            text = f"ops.{function.__name__} takes tensors of the network, found {type_name(error.obj)}"
            raise ModelError(here(f"{text}: compute it with numpy, or declare it as an input")) from error

    return operation


def _flat(values: tuple[Any, ...]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list | tuple) else [value])]
