"""Python's operators on tensors and parameters: each is a function of ``trtnet.ops``."""

from __future__ import annotations

from types import EllipsisType
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from trtnet.graph.sizes.dim import Dim, SizeOperators
from trtnet.graph.symbolic import Symbolic

TensorT = TypeVar("TensorT")
"""The type of tensors: what the operators give."""
Index: TypeAlias = "int | Dim | slice | EllipsisType | list[int] | np.ndarray[Any, Any] | Symbolic | None"
NumberOrArray: TypeAlias = "np.ndarray[Any, Any] | SizeOperators | float | int | bool"
"""What operations take beside tensors and parameters."""


class Operators(Symbolic, Generic[TensorT]):
    """All but ``==`` and ``!=``, which tell one parameter from another."""

    __slots__ = ()

    def __add__(self, other: Any) -> TensorT:
        return self.operations.add(self, other)

    def __radd__(self, other: Any) -> TensorT:
        return self.operations.add(other, self)

    def __sub__(self, other: Any) -> TensorT:
        return self.operations.sub(self, other)

    def __rsub__(self, other: Any) -> TensorT:
        return self.operations.sub(other, self)

    def __mul__(self, other: Any) -> TensorT:
        return self.operations.mul(self, other)

    def __rmul__(self, other: Any) -> TensorT:
        return self.operations.mul(other, self)

    def __truediv__(self, other: Any) -> TensorT:
        return self.operations.div(self, other)

    def __rtruediv__(self, other: Any) -> TensorT:
        return self.operations.div(other, self)

    def __floordiv__(self, other: Any) -> TensorT:
        return self.operations.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> TensorT:
        return self.operations.floor_divide(other, self)

    def __mod__(self, other: Any) -> TensorT:
        return self.operations.remainder(self, other)

    def __rmod__(self, other: Any) -> TensorT:
        return self.operations.remainder(other, self)

    def __pow__(self, other: Any) -> TensorT:
        return self.operations.pow(self, other)

    def __rpow__(self, other: Any) -> TensorT:
        return self.operations.pow(other, self)

    def __matmul__(self, other: Any) -> TensorT:
        return self.operations.matmul(self, other)

    def __rmatmul__(self, other: Any) -> TensorT:
        return self.operations.matmul(other, self)

    def __lt__(self, other: Any) -> TensorT:
        return self.operations.lt(self, other)

    def __le__(self, other: Any) -> TensorT:
        return self.operations.le(self, other)

    def __gt__(self, other: Any) -> TensorT:
        return self.operations.gt(self, other)

    def __ge__(self, other: Any) -> TensorT:
        return self.operations.ge(self, other)

    def __and__(self, other: Any) -> TensorT:
        return self.operations.bitwise_and(self, other)

    def __rand__(self, other: Any) -> TensorT:
        return self.operations.bitwise_and(other, self)

    def __or__(self, other: Any) -> TensorT:
        return self.operations.bitwise_or(self, other)

    def __ror__(self, other: Any) -> TensorT:
        return self.operations.bitwise_or(other, self)

    def __xor__(self, other: Any) -> TensorT:
        return self.operations.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> TensorT:
        return self.operations.bitwise_xor(other, self)

    def __lshift__(self, other: Any) -> TensorT:
        return self.operations.bitwise_left_shift(self, other)

    def __rlshift__(self, other: Any) -> TensorT:
        return self.operations.bitwise_left_shift(other, self)

    def __rshift__(self, other: Any) -> TensorT:
        return self.operations.bitwise_right_shift(self, other)

    def __rrshift__(self, other: Any) -> TensorT:
        return self.operations.bitwise_right_shift(other, self)

    def __pos__(self) -> TensorT:
        return self.operations.positive(self)

    def __neg__(self) -> TensorT:
        return self.operations.neg(self._tensor())

    def __abs__(self) -> TensorT:
        return self.operations.abs(self._tensor())

    def __invert__(self) -> TensorT:
        return self.operations.bitwise_not(self)

    def __getitem__(self, index: Index | tuple[Index, ...]) -> TensorT:
        return self.operations.getitem(self._tensor(), index)

    def _tensor(self) -> TensorT:
        return self.operations.as_tensor(self)
