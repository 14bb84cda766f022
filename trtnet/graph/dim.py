"""Dimensions that are known only when the engine runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from trtnet.errors import ModelError
from trtnet.graph.source import here

if TYPE_CHECKING:
    from trtnet.graph.tensor import Tensor


def _of_sizes(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Leaves a Dim with anything but a size, such as a Tensor, to the other's operators."""

    @functools.wraps(method)
    def checked(self: Any, other: Any) -> Any:
        return method(self, other) if isinstance(other, int | Dim) else NotImplemented

    return checked


@dataclass(frozen=True)
class Axis:
    """Where a Dim is read from: axis `axis` of `tensor`."""

    tensor: Tensor
    axis: int


@dataclass(frozen=True)
class Value:
    """Where a Dim is read from: element `index` of `tensor`, integers of rank 1 or 0."""

    tensor: Tensor
    index: int


@dataclass(frozen=True)
class Arithmetic:
    """A Dim computed from others. operation: the member of TensorRT's ``ElementWiseOperation``."""

    operation: str
    left: Dim | int
    right: Dim | int


@dataclass(frozen=True)
class Dim:
    """A dimension whose size is known only at run time, as ``x.shape[0]`` of a dynamic batch is.

    Two Dims are equal when their names are: inputs that share a name share the size, which TensorRT checks when
    the engine runs. ``+ - * //`` and ``%`` with ints and other Dims give Dims; no layer is added until a Dim is
    used where TensorRT needs its value.
    """

    name: str
    origin: Axis | Value | Arithmetic = field(compare=False, repr=False)

    @_of_sizes
    def __add__(self, other: Dim | int) -> Dim:
        return self if other == 0 else _arithmetic("SUM", "+", self, other)

    def __radd__(self, other: int) -> Dim:
        return self + other

    @_of_sizes
    def __sub__(self, other: Dim | int) -> Dim | int:
        if other == self:
            return 0
        return self if other == 0 else _arithmetic("SUB", "-", self, other)

    @_of_sizes
    def __rsub__(self, other: int) -> Dim:
        return _arithmetic("SUB", "-", other, self)

    @_of_sizes
    def __mul__(self, other: Dim | int) -> Dim | int:
        if other == 0:
            return 0
        return self if other == 1 else _arithmetic("PROD", "*", self, other)

    def __rmul__(self, other: int) -> Dim | int:
        return self * other

    @_of_sizes
    def __floordiv__(self, other: Dim | int) -> Dim | int:
        if other == self:
            return 1
        return self if other == 1 else _arithmetic("FLOOR_DIV", "//", self, other)

    @_of_sizes
    def __rfloordiv__(self, other: Dim | int) -> Dim | int:
        return 0 if other == 0 else _arithmetic("FLOOR_DIV", "//", other, self)

    @_of_sizes
    def __mod__(self, other: Dim | int) -> Dim | int:
        if other in (1, self):
            return 0
        return self - self // other * other

    def __str__(self) -> str:
        return self.name

    def _not_known(self, *_: object) -> NoReturn:
        of = dict.fromkeys(_names(self))
        what = f"dimension {self.name}" if self.name in of else f"a size computed from {', '.join(of)}"
        raise ModelError(
            here(
                f"{what} is known only when the engine runs, and Python asked for its value while the network was being"
                f" defined. Use it in shapes and arithmetic, or declare the input with an int."
            )
        )

    __int__ = __index__ = __float__ = __bool__ = _not_known
    __lt__ = __le__ = __gt__ = __ge__ = _not_known


Size = int | Dim
Shape = tuple[Size, ...]


def _names(size: Size) -> Iterator[str]:
    """The dimensions that a size is computed from."""
    if isinstance(size, Dim) and isinstance(size.origin, Arithmetic):
        yield from _names(size.origin.left)
        yield from _names(size.origin.right)
    elif isinstance(size, Dim):
        yield size.name


def largest(left: Size, right: Size) -> Size:
    """The larger of two sizes."""
    if isinstance(left, int) and isinstance(right, int):
        return max(left, right)
    return left if left == right else Dim(f"max({left}, {right})", Arithmetic("MAX", left, right))


def smallest(left: Size, right: Size) -> Size:
    """The smaller of two sizes."""
    if isinstance(left, int) and isinstance(right, int):
        return min(left, right)
    return left if left == right else Dim(f"min({left}, {right})", Arithmetic("MIN", left, right))


def _arithmetic(operation: str, sign: str, left: Size, right: Size) -> Dim:
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
