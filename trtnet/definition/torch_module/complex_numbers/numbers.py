"""Complex numbers as two parts, and arithmetic with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from trtnet import ops
from trtnet.graph import Tensor
from trtnet.graph.structures import leaves, mapped
from trtnet.support.errors import ModelError
from trtnet.support.source import here


class Number:
    """A complex tensor or number. real, imaginary: tensors of the network or numbers; None for 0."""

    def __init__(self, real: Any, imaginary: Any = None) -> None:
        self.real, self.imaginary = real, imaginary


def number(value: Any) -> Number:
    """Anything that may stand beside a complex number, as one."""
    if isinstance(value, Number):
        return value
    parts = (value.real, value.imag) if isinstance(value, complex) else (value, None)
    return Number(*(None if isinstance(part, int | float) and part == 0 else part for part in parts))


def full(x: Number) -> tuple[Tensor, Tensor]:
    """The two parts as tensors of one shape, of which one at least is a tensor."""
    real, imaginary = x.real, x.imaginary
    some: Tensor = real if isinstance(real, Tensor) else imaginary
    real, imaginary = (ops.zeros_like(some) if part is None else ops.as_tensor(part) for part in (real, imaginary))
    if tuple(real.shape) != tuple(imaginary.shape):
        shape = (real + imaginary).shape
        real, imaginary = real.expand(shape), imaginary.expand(shape)
    return real, imaginary


def _plus(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


def _minus(a: Any) -> Any:
    return None if a is None else -a


def _times(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a * b


def add(x: Number, y: Number, *, alpha: Any = 1) -> Number:
    other = y if alpha == 1 else mul(y, number(alpha))
    return Number(_plus(x.real, other.real), _plus(x.imaginary, other.imaginary))


def sub(x: Number, y: Number, *, alpha: Any = 1) -> Number:
    return add(x, neg(y), alpha=alpha)


def neg(x: Number) -> Number:
    return Number(_minus(x.real), _minus(x.imaginary))


def mul(x: Number, y: Number) -> Number:
    real = _plus(_times(x.real, y.real), _minus(_times(x.imaginary, y.imaginary)))
    return Number(real, _plus(_times(x.real, y.imaginary), _times(x.imaginary, y.real)))


def div(x: Number, y: Number) -> Number:
    if y.imaginary is None:
        return Number(*(None if part is None else part / y.real for part in (x.real, x.imaginary)))
    above, below = mul(x, conj(y)), mul(y, conj(y))
    return div(above, Number(below.real))


def conj(x: Number) -> Number:
    return Number(x.real, _minus(x.imaginary))


def square(x: Number) -> Number:
    return mul(x, x)


def power(x: Number, exponent: Number) -> Number:
    """torch.pow for small whole exponents."""
    times = exponent.real
    if exponent.imaginary is not None or times not in (1, 2, 3, 4):
        raise ModelError(here("a power of a complex tensor is written for exponents of 1 to 4"))
    result = x
    for _ in range(int(times) - 1):
        result = mul(result, x)
    return result


def exp(x: Number) -> Number:
    turned = polar(1.0, 0.0 if x.imaginary is None else x.imaginary)
    return turned if x.real is None else mul(Number(ops.exp(x.real)), turned)


def polar(length: Any, angle: Any) -> Number:
    angle = ops.as_tensor(angle)
    return Number(length * ops.cos(angle), length * ops.sin(angle))


def absolute(x: Number) -> Tensor:
    real, imaginary = full(x)
    return ops.sqrt(real * real + imaginary * imaginary)


def angle(x: Number) -> Tensor:
    real, imaginary = full(x)
    return ops.atan2(imaginary, real)


def multilinear(function: Callable[..., Tensor], *given: Any) -> Number:
    """A function that is linear in each complex number of what it is given, such as a product of matrices."""
    given = _of_one_dtype(given)
    numbers = [leaf for leaf in leaves(given) if isinstance(leaf, Number)]
    result = Number(None)
    for choice in itertools.product((0, 1), repeat=len(numbers)):
        parts = [x.imaginary if turn else x.real for x, turn in zip(numbers, choice, strict=True)]
        if any(part is None for part in parts):
            continue
        value: Any = function(*_with_parts(given, iter(parts)))
        value = -value if sum(choice) % 4 in (2, 3) else value  # i * i = -1
        result = add(result, Number(None, value) if sum(choice) % 2 else Number(value))
    return result


def _of_one_dtype(given: Any) -> Any:
    """A structure whose floats are float32 where they are of several dtypes, as torch promotes complex numbers."""
    if len({part.dtype for part in _parts(given) if isinstance(part, Tensor)}) < 2:
        return given
    return mapped(given, lambda leaf: Number(*map(_wide, _parts(leaf))) if isinstance(leaf, Number) else _wide(leaf))


def _wide(part: Any) -> Any:
    return ops.cast(part, "float32") if isinstance(part, Tensor) else part


def _parts(given: Any) -> Iterator[Any]:
    for leaf in leaves(given):
        yield from (leaf.real, leaf.imaginary) if isinstance(leaf, Number) else (leaf,)


def _with_parts(given: Any, parts: Iterator[Any]) -> Any:
    """A structure with the next part in the place of each complex number."""
    return mapped(given, lambda leaf: next(parts) if isinstance(leaf, Number) else leaf)
