"""Python's operators on tensors and parameters: each is a function of ``trtnet.ops``."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from trtnet.graph.sizes.dim import Dim
from trtnet.graph.symbolic import Symbolic

if TYPE_CHECKING:
    from trtnet.graph.tensors.tensor import Operand, Tensor

Index: TypeAlias = "int | Dim | slice | EllipsisType | list[int] | np.ndarray[Any, Any] | Tensor | None"
Binary = Callable[[Any, Any], "Tensor"]


def _operator(name: str) -> Binary:
    """The operator that calls ``ops.name(self, other)``."""

    def method(self: Operators, other: Operand) -> Tensor:
        return getattr(self.operations, name)(self, other)

    return method


def _reflected(name: str) -> Binary:
    """The operator that calls ``ops.name(other, self)``."""

    def method(self: Operators, other: Operand) -> Tensor:
        return getattr(self.operations, name)(other, self)

    return method


class Operators(Symbolic):
    """All but ``==`` and ``!=``, which tell one parameter from another."""

    __slots__ = ()

    __add__, __radd__ = _operator("add"), _reflected("add")
    __sub__, __rsub__ = _operator("sub"), _reflected("sub")
    __mul__, __rmul__ = _operator("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _operator("div"), _reflected("div")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __pow__, __rpow__ = _operator("pow"), _reflected("pow")
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __lt__ = _operator("lt")
    __le__ = _operator("le")
    __gt__ = _operator("gt")
    __ge__ = _operator("ge")
    __and__, __rand__ = _operator("bitwise_and"), _reflected("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or"), _reflected("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor"), _reflected("bitwise_xor")
    __lshift__, __rlshift__ = _operator("bitwise_left_shift"), _reflected("bitwise_left_shift")
    __rshift__, __rrshift__ = _operator("bitwise_right_shift"), _reflected("bitwise_right_shift")

    def __neg__(self) -> Tensor:
        return self.operations.neg(self._tensor())

    def __abs__(self) -> Tensor:
        return self.operations.abs(self._tensor())

    def __invert__(self) -> Tensor:
        return self.operations.bitwise_not(self)

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Tensor:
        return self.operations.getitem(self._tensor(), index)

    def _tensor(self) -> Tensor:
        return self.operations.as_tensor(self)
