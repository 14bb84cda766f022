"""What stands for values of the network where torch's and numpy's functions want values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from trtnet.support.errors import ModelError
from trtnet.support.source import here

OPERATORS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "floor_divide": "floor_divide",
    "remainder": "remainder",
    "power": "pow",
    "matmul": "matmul",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
    "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or",
    "bitwise_xor": "bitwise_xor",
}
"""What numpy calls for an operator with an array on its left, and the function of ``trtnet.ops`` for it."""


class Symbolic:
    """Base of tensors and parameters: torch and numpy ask it before they compute with one.

    Operators with an array or a torch tensor on the left work; functions raise ModelError with what to use instead.
    """

    __slots__ = ()

    # trtnet.ops puts itself here when it is imported: ops stand above graph, and imports point one way.
    operations: ClassVar[Any] = None

    @classmethod
    def __torch_function__(cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        from torch.overrides import resolve_name  # torch is there: it asks

        name = resolve_name(func) or func.__name__
        if name.startswith("torch.Tensor."):
            return NotImplemented  # leaves an operator to that of the right side
        raise _refused(name, name.rpartition(".")[2], cls.operations)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        called = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        if called in OPERATORS and not kwargs:
            return getattr(self.operations, OPERATORS[called])(*inputs)
        raise _refused(f"numpy.{called}", OPERATORS.get(called, called), self.operations)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        raise _refused(f"{func.__module__}.{func.__name__}", func.__name__, self.operations)


def _refused(called: str, name: str, operations: Any) -> ModelError:
    absent = operations.reason(name) or "trtnet.ops has no function of that name"
    instead = f"use trtnet.ops.{name}" if name in operations.__all__ else absent
    return ModelError(here(f"{called} was called with a trtnet tensor; {instead}"))
