"""Arguments of torch's functions that an operation of trtnet does not take: left out where they change nothing."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from trtnet.ops.arguments.argument_check import OTHER_NAMES
from trtnet.support.errors import ModelError
from trtnet.support.source import here

_UNSEEN = """
device layout requires_grad memory_format pin_memory non_blocking copy out generator _stacklevel padding_idx norm_type
scale_grad_by_freq sparse max_norm use_input_stats cudnn_enable out_dtype
"""
UNSEEN = frozenset(_UNSEEN.split())
"""What says where memory is, how gradients flow or how training goes: nothing that a network computes."""


def accepted(
    operation: Callable[..., Any], func: Callable[..., Any], name: str, kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The keywords that an operation takes. Raises ModelError for another that is not torch's default."""
    takes = parameters(operation)
    if takes is None:
        return dict(kwargs)
    kept = {}
    for key, value in kwargs.items():
        if key in takes or any(other in takes for other in OTHER_NAMES.get(key, ())):
            kept[key] = value
        elif key not in UNSEEN and value is not None and value is not False and value != default(func, key):
            raise ModelError(here(f"torch's {name}({key}={value!r}) has no counterpart in trtnet.ops"))
    return kept


@functools.cache
def parameters(operation: Callable[..., Any]) -> frozenset[str] | None:
    """The names of an operation's parameters; None if it takes any."""
    try:
        found = inspect.signature(operation).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = {parameter.kind for parameter in found}
    return None if inspect.Parameter.VAR_KEYWORD in kinds else frozenset(parameter.name for parameter in found)


def default(func: Callable[..., Any], key: str) -> Any:
    """torch's default of an argument, where Python knows it."""
    try:
        return inspect.signature(func).parameters[key].default
    except (TypeError, ValueError, KeyError):
        return inspect.Parameter.empty
