"""Wrong arguments of a layer's constructor: an error with the user's line."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from trtnet.support.errors import ArgumentError
from trtnet.support.source import here
from trtnet.support.text.did_you_mean import nearest


def checked(constructor: Callable[..., None]) -> Callable[..., None]:
    """The constructor, which raises ArgumentError for unknown or missing arguments."""

    @functools.wraps(constructor)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            constructor(self, *args, **kwargs)
        except TypeError as error:
            if isinstance(error, ArgumentError) or (text := _mistake(constructor, self, args, kwargs)) is None:
                raise
            raise ArgumentError(here(f"{type(self).__name__}() {text}")) from error

    return construct


def _mistake(constructor: Callable[..., None], layer: Any, args: Any, kwargs: Any) -> str | None:
    """What is wrong about the arguments; None if the error came from elsewhere."""
    signature = inspect.signature(constructor)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    unknown = next((name for name in kwargs if name not in signature.parameters), None)
    if unknown is not None and not takes_any:
        return f"got an unexpected keyword argument {unknown!r}; {nearest(unknown, [*signature.parameters][1:])}"
    try:
        signature.bind(layer, *args, **kwargs)
    except TypeError as error:
        return str(error)
    return None
