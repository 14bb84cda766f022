"""Which results of operations share memory with what they were given: torch's views do, all others do not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.calls import replaced, tensors
from trtnet.graph.memory.storage import ticket
from trtnet.graph.memory.strides import is_contiguous

_VIEWS_NAMES = """
adjoint alpha_dropout as_tensor atleast_1d atleast_2d atleast_3d broadcast_tensors broadcast_to cast chunk
diagonal dropout dropout1d dropout2d dropout3d dsplit expand expand_as feature_alpha_dropout flatten getitem
hsplit meshgrid moveaxis movedim narrow permute ravel reshape select split split_with_sizes squeeze swapaxes
swapdims t tensor_split transpose unbind unflatten unfold_dim unsqueeze view view_as vsplit
"""
VIEWS = frozenset(_VIEWS_NAMES.split())
"""Operations whose result is a view of their first argument, or may be that argument itself."""

_UNORDERED_NAMES = """
einsum getitem scaled_dot_product_attention
"""
UNORDERED = frozenset(_UNORDERED_NAMES.split())
"""Operations whose result torch lays out in memory in its own order."""


def owning(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, whose results, unless they are views, have their own memory; their layout is noted."""

    @functools.wraps(operation)
    def made(*args: Any, **kwargs: Any) -> Any:
        before = ticket()
        result = operation(*args, **kwargs)
        views = name in VIEWS and not (name == "as_tensor" and _is_new(*args, *kwargs.values()))
        known = name not in UNORDERED and all(map(_is_contiguous, (*args, *kwargs.values())))

        def own(y: Tensor) -> Tensor:
            shared = y.storage.serial < before or y.view_of is not None or bool(y.storage.fixed or y.storage.related)
            if views and shared:
                return y
            mine = y.fresh() if shared else y
            if not views or mine.strides is None:
                mine.strides = True if known else None
            return mine

        if isinstance(result, Tensor):
            return own(result)
        return replaced(result, own) if any(True for _ in tensors(result)) else result

    return made


def _is_contiguous(given: Any) -> bool:
    """Whether the tensors of an argument are."""
    if isinstance(given, Tensor):
        return is_contiguous(given.shape, given.strides) is True
    if isinstance(given, list | tuple):
        return all(map(_is_contiguous, given))
    return True


def _is_new(data: Any, *_: Any) -> bool:
    """Whether torch's as_tensor makes a new tensor of something."""
    return not isinstance(data, Tensor | Parameter | np.ndarray)
