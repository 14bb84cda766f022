"""Modules that are one function, without weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from trtnet.graph import Tensor
from trtnet.nn.module import Module

INPLACE = inspect.Parameter("inplace", inspect.Parameter.KEYWORD_ONLY, default=False, annotation="bool")


class Function(Module):
    """A function of ``trtnet.ops`` as a module: it takes the function's arguments after the first.

    Raises TypeError for arguments that the function has not. ``inplace``, which torch's modules take, changes nothing.
    """

    function: ClassVar[Callable[..., Any]]
    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        plain = cls.__init__ is Function.__init__
        _, *parameters = inspect.signature(cls.function if plain else cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature([*parameters, INPLACE] if plain else parameters)

    def __init__(self, *args: Any, inplace: bool = False, **kwargs: Any) -> None:
        try:
            inspect.signature(type(self).function).bind(None, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}() {error}") from error
        self.arguments = args, kwargs

    def forward(self, x: Tensor) -> Any:
        args, kwargs = self.arguments
        return type(self).function(x, *args, **kwargs)
