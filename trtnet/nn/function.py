"""Modules that are one function, without weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from trtnet.graph import Tensor
from trtnet.nn.module import Module


class Function(Module):
    """A function of ``trtnet.ops`` as a module: it takes the function's arguments after the first.

    Raises TypeError for arguments that the function has not. ``inplace``, which torch's modules take, changes nothing.
    """

    function: ClassVar[Callable[..., Any]]

    def __init__(self, *args: Any, inplace: bool = False, **kwargs: Any) -> None:
        inspect.signature(type(self).function).bind(None, *args, **kwargs)
        self.arguments = args, kwargs

    def forward(self, x: Tensor) -> Any:
        args, kwargs = self.arguments
        return type(self).function(x, *args, **kwargs)
