"""Dimensions that are known only when the engine runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from trtnet.graph.sizes.comparisons import at_least, decided
from trtnet.graph.sizes.origins import Arithmetic, Axis, Value
from trtnet.graph.sizes.unknown import not_comparable, not_known
from trtnet.support.errors import ModelError
from trtnet.support.source import here


def _operator(name: str) -> Callable[[Any, Any], Any]:
    def method(self: SizeOperators, other: object) -> Any:
        return self.computed(name, self, other)

    return method


def _reflected(name: str) -> Callable[[Any, Any], Any]:
    def method(self: SizeOperators, other: object) -> Any:
        return self.computed(name, other, self)

    return method


class SizeOperators:
    """Python's operators on sizes that are known only at run time, and on what is computed from them with floats."""

    __slots__ = ()
    __array_ufunc__ = None  # leaves an operator with a number of numpy on its left to the reflected one here

    @classmethod
    def __torch_function__(cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        from torch.overrides import resolve_name  # torch is there: it asks

        if (resolve_name(func) or "").startswith("torch.Tensor."):
            return NotImplemented  # leaves an operator to the reflected one here
        raise ModelError(here(f"torch's {func.__name__} was called with a size of a network; use trtnet.ops"))

    # trtnet.graph.sizes.real puts here what computes: floats of sizes stand above sizes, and imports point one way.
    computed: ClassVar[Any] = None
    left_to: ClassVar[tuple[type, ...]] = ()
    """Kinds of values whose own operators compute with a size, whichever side it is on."""

    __add__, __radd__ = _operator("add"), _reflected("add")
    __sub__, __rsub__ = _operator("sub"), _reflected("sub")
    __mul__, __rmul__ = _operator("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _operator("div"), _reflected("div")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __pow__, __rpow__ = _operator("pow"), _reflected("pow")
    __lshift__, __rlshift__ = _operator("<<"), _reflected("<<")
    __rshift__, __rrshift__ = _operator(">>"), _reflected(">>")
    __and__, __rand__ = _operator("&"), _reflected("&")
    __or__, __ror__ = _operator("|"), _reflected("|")
    __xor__, __rxor__ = _operator("^"), _reflected("^")

    name: str

    def __eq__(self, other: object) -> bool:
        """Whether two are of the same name. Raises ModelError where a model asks what only the engine will know.

        trtnet's own modules ask what is known already: to them a size of another name, or an int, is not the same.
        To a PyTorch module sizes of two networks are two, so that what it keeps by sizes is of one network.
        """
        if isinstance(other, SizeOperators) and type(other) is type(self) and other.name == self.name:
            return not SizeOperators.left_to or _network(self) is _network(other)
        if not isinstance(other, int | float | SizeOperators | np.number):
            return NotImplemented
        if _is_own(sys._getframe(1).f_globals.get("__name__", "")):
            return False
        return self._compared("==", other)

    def _compared(self, sign: str, other: object) -> bool:
        if isinstance(other, SizeOperators.left_to):
            return NotImplemented
        if isinstance(other, SizeOperators) and type(other) is type(self) and other.name == self.name:
            return sign in ("<=", ">=")
        found = decided(sign, self, other)
        if found is None:
            raise not_comparable(self, sign, other)
        return found

    def __lt__(self, other: object) -> bool:
        return self._compared("<", other)

    def __le__(self, other: object) -> bool:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> bool:
        return self._compared(">", other)

    def __ge__(self, other: object) -> bool:
        return self._compared(">=", other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __neg__(self) -> Any:
        return self.computed("sub", 0, self)

    def __pos__(self) -> Self:
        return self

    def __format__(self, spec: str) -> str:
        return str(self)

    def __divmod__(self, other: object) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: object) -> tuple[Any, Any]:
        return other // self, other % self


def _network(size: Any) -> Any:
    """The network of a size that is known only at run time; None for a number."""
    origin = getattr(size, "origin", None)
    if isinstance(origin, Arithmetic):
        return _network(origin.left) or _network(origin.right)
    return None if origin is None else origin.tensor.network


def _is_own(module: str) -> bool:
    """Whether a module is of trtnet itself, and no model file."""
    return module.startswith("trtnet.") and not module.startswith("trtnet.models")


@dataclass(frozen=True, eq=False)
class Dim(SizeOperators):
    """A dimension whose size is known only at run time, such as ``x.shape[0]`` of a dynamic batch.

    Two Dims are equal if their names are: inputs that share a name share the size, which TensorRT checks at run time.
    Whether a Dim is equal to another Dim, or to an int, is not known when the network is defined. ``+ - * // %`` and
    ``**`` with ints and other Dims give Dims, with floats a Real (float32 in a tensor); no layer is added until
    TensorRT needs the value of a Dim, as an int64 tensor.
    Raises ModelError where a model asks for its value: in comparisons, but for those that hold for every size, such as
    ``n > 0``, and as an int.

    >>> import trtnet
    >>> class Halves(trtnet.nn.Module):
    ...     def forward(self, x):
    ...         length = x.shape[0]
    ...         print(length, "|", (length + 1) // 2, "|", 2 * length)
    ...         return x
    >>> network = trtnet.define(Halves(), {"x": trtnet.Input(("n", 3))})
    n | ((n + 1) // 2) | (2 * n)
    """

    name: str
    origin: Axis | Value | Arithmetic = field(compare=False, repr=False)

    def __abs__(self) -> Dim:
        return Dim(f"abs({self})", Arithmetic("MAX", self, subtracted(0, self)))

    def __floor__(self) -> Dim:
        return self

    def __round__(self, ndigits: int | None = None) -> Dim:
        return self

    __ceil__ = __trunc__ = __floor__

    def __str__(self) -> str:
        return self.name

    def _not_known(self, *_: object) -> NoReturn:
        raise not_known(self)

    __int__ = __index__ = __float__ = __complex__ = _not_known

    def __bool__(self) -> bool:
        """True for a size that is never 0, as that of an input's axis; else it is not known."""
        if at_least(self) >= 1:
            return True
        raise not_known(self)


Size = int | Dim
Shape = tuple[Size, ...]


def added(left: Size, right: Size) -> Size:
    """left + right."""
    if left == 0 or right == 0:
        return right if left == 0 else left
    return _arithmetic("SUM", "+", left, right)


def subtracted(left: Size, right: Size) -> Size:
    """left - right."""
    if left == right:
        return 0
    return left if right == 0 else _arithmetic("SUB", "-", left, right)


def multiplied(left: Size, right: Size) -> Size:
    """left * right."""
    if left == 0 or right == 0:
        return 0
    if left == 1 or right == 1:
        return right if left == 1 else left
    return _arithmetic("PROD", "*", left, right)


def floor_divided(left: Size, right: Size) -> Size:
    """left // right."""
    if right == 0:
        raise ModelError(here(f"{left} // 0 has no value"))
    if left in (right, 0):
        return 0 if left == 0 else 1
    return left if right == 1 else _arithmetic("FLOOR_DIV", "//", left, right)


def remainder(left: Size, right: Size) -> Size:
    """left % right, with the sign of right."""
    return subtracted(left, multiplied(floor_divided(left, right), right))


def power(left: Size, right: Size) -> Size:
    """left ** right, of an int that is not negative."""
    if not isinstance(right, int):
        raise ModelError(here(f"{left} ** {right}: TensorRT has no powers of sizes; compute it with tensors"))
    result: Size = 1
    for _ in range(right):
        result = multiplied(result, left)
    return result


def largest(left: Size, right: Size) -> Size:
    """The larger of two sizes."""
    if isinstance(left, int) and isinstance(right, int):
        return max(left, right)
    return left if left == right else Dim(f"max({left}, {right})", Arithmetic("MAX", left, right))


def smallest(left: Size, right: Size) -> Size:
    """The smaller of two sizes."""
    for size, other in ((left, right), (right, left)):
        if isinstance(size, int) and at_least(other) >= size:
            return size
    return left if left == right else Dim(f"min({left}, {right})", Arithmetic("MIN", left, right))


def _arithmetic(operation: str, sign: str, left: Size, right: Size) -> Size:
    if isinstance(left, int) and isinstance(right, int):
        return {"SUM": left + right, "SUB": left - right, "PROD": left * right}.get(operation, left // (right or 1))
    return Dim(f"({left} {sign} {right})", Arithmetic(operation, left, right))


def static(shape: Shape) -> tuple[int, ...] | None:
    """The shape as ints if every axis is known, else None."""
    return tuple(size for size in shape if isinstance(size, int)) if is_static(shape) else None


def is_static(shape: Shape) -> bool:
    """Whether every axis is known while the network is being defined."""
    return all(isinstance(size, int) for size in shape)


def numel(shape: Shape) -> Size:
    """The number of elements, a Dim if it is known only at run time."""
    count: Size = 1
    for size in shape:
        count = count * size
    return count
