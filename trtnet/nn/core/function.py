"""Modules that are one function, without weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, dataclass_transform

from trtnet.graph import Tensor
from trtnet.nn.core.module import Module


@dataclass_transform(eq_default=False)
class Function(Module):
    """A function of `ops` as a module: its fields are the settings.

    Fields have torch's names, order and defaults; they are arguments of the constructor, attributes, and arguments of
    the function. Called with tensors of any shape and dtype that the function takes; returns what it returns.
    Weights: none.
    Layer: that of its function.
    Raises LayerError, when it is called, for a setting that the function does not have, unless it has its default.
    """

    function: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(init="__init__" not in vars(cls), repr=False, eq=False)(cls)

    def forward(self, *inputs: Tensor) -> Any:
        return type(self).function(*inputs, **self.settings(inputs[0]))

    def settings(self, x: Tensor) -> dict[str, Any]:
        """The settings as arguments of the function."""
        taken = inspect.signature(type(self).function).parameters
        given = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        defaults = {field.name: field.default for field in fields(self)}  # type: ignore[arg-type]
        for name, value in given.items():
            if name not in taken and name != "inplace" and value != defaults[name]:
                x.network.fail(f"{type(self).__name__}: {name}={value!r} is not supported", {"x": x})
        return {name: value for name, value in given.items() if name in taken}
