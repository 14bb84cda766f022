"""Writing to tensors: torch's augmented operators and its methods with a final underscore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trtnet.graph.symbolic import Symbolic
from trtnet.graph.tensors.operators import Index, NumberOrArray


def _augmented(name: str) -> Callable[[Any, Any], Any]:
    """The operator that writes ``ops.name(self, other)`` to self."""

    def method(self: InPlace, other: Any) -> Any:
        return self.operations.in_place(name)(self, other)

    return method


class InPlace(Symbolic):
    """What changes its receiver; ``trtnet.ops.writes.in_place`` says how.

    (``x @= y`` makes another tensor, as in torch.)
    """

    __slots__ = ()

    __iadd__ = _augmented("add")
    __isub__ = _augmented("sub")
    __imul__ = _augmented("mul")
    __itruediv__ = _augmented("div")
    __ifloordiv__ = _augmented("floor_divide")
    __imod__ = _augmented("remainder")
    __ipow__ = _augmented("pow")
    __iand__ = _augmented("bitwise_and")
    __ior__ = _augmented("bitwise_or")
    __ixor__ = _augmented("bitwise_xor")

    def __setitem__(self, index: Index | tuple[Index, ...], value: NumberOrArray | Symbolic) -> None:
        self.operations.setitem(self, index, value)
