"""Floats that are computed from sizes: ``n * 0.5``, ``1.0 / n``, ``n ** 0.5``.

Python computes them in float64, which TensorRT does not have. So an engine computes them in float32, for arithmetic
with tensors; where one becomes a size again (``math.floor(n * 0.5)``, ``math.ceil(n / 4)``, ``round(n / 2)``) it
computes with integers, which is checked against float64 and exact, or an error says that it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from trtnet.graph.sizes.dim import (
    Dim,
    Size,
    SizeOperators,
    added,
    floor_divided,
    multiplied,
    power,
    remainder,
    smallest,
    subtracted,
)
from trtnet.graph.sizes.origins import Arithmetic
from trtnet.graph.sizes.products import exact_quotient
from trtnet.graph.sizes.unknown import not_known
from trtnet.graph.symbolic import Symbolic
from trtnet.support.arrays import is_torch
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import an

SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "floor_divide": "//", "remainder": "%", "pow": "**"}
FLOATS = {"add": "SUM", "sub": "SUB", "mul": "PROD", "div": "DIV", "pow": "POW"}
"""The member of TensorRT's ElementWiseOperation for each."""


def _divided(left: Size, right: Size) -> Size:
    """left // right: of a multiple of `right`, whatever the Dims are, without a division."""
    exact = None if right == 0 or left == 0 else exact_quotient((left,), (right,))
    return floor_divided(left, right) if exact is None else exact


def _rest(left: Size, right: Size) -> Size:
    """left % right: 0 of a multiple of `right`."""
    exact = right != 0 and left != 0 and exact_quotient((left,), (right,)) is not None
    return 0 if exact else remainder(left, right)


INTEGERS: dict[str, Callable[[Size, Size], Size]] = {
    "add": added,
    "sub": subtracted,
    "mul": multiplied,
    "floor_divide": _divided,
    "remainder": _rest,
    "pow": power,
}
TRIED = 1 << 20
"""Up to which size integers are compared with float64 where one dimension is computed with."""

Ratio = tuple[Size, Size]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Real(SizeOperators):
    """A float that is known only at run time. Two are equal when their names are.

    ratio: two sizes that it is the quotient of; None for roots and numbers that are no simple fraction.
    """

    name: str
    origin: Arithmetic = field(compare=False, repr=False)
    ratio: Ratio | None = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.name

    def __abs__(self) -> NoReturn:
        raise ModelError(here(f"abs({self}) of a float computed from sizes: use a tensor, ops.abs(ops.as_tensor(...))"))

    def __floor__(self) -> Size:
        above, below = self._fraction("math.floor")
        return _checked(self, "floor", floor_divided(above, below))

    def __trunc__(self) -> Size:
        above, below = self._fraction("math.trunc")
        return _checked(self, "trunc", floor_divided(above, below))

    def __ceil__(self) -> Size:
        above, below = self._fraction("math.ceil")
        return _checked(self, "ceil", multiplied(floor_divided(multiplied(above, -1), below), -1))

    def __round__(self, ndigits: int | None = None) -> Size:
        """Halves to even, as Python's."""
        if ndigits is not None:
            raise ModelError(here(f"round({self}, {ndigits}): only round({self}) has an exact value"))
        above, below = self._fraction("round")
        doubled, twice = added(multiplied(above, 2), below), multiplied(below, 2)
        nearest = floor_divided(doubled, twice)
        half = subtracted(1, smallest(remainder(doubled, twice), 1))
        return _checked(self, "rint", subtracted(nearest, multiplied(half, remainder(nearest, 2))))

    def _fraction(self, function: str) -> Ratio:
        if self.ratio is None:
            raise ModelError(here(f"{function}({self}) has no exact value in TensorRT: write it with // of sizes"))
        return self.ratio

    def _not_known(self, *_: object) -> NoReturn:
        raise not_known(self)

    __int__ = __index__ = __float__ = __complex__ = __bool__ = _not_known


Term = Dim | Real | int | float


def _computed(name: str, left: Any, right: Any) -> Any:
    """An operator of sizes, floats of sizes and numbers; tensors and arrays have their own."""
    left, right = (x.item() if isinstance(x, np.generic) else x for x in (left, right))
    own = (Symbolic, *SizeOperators.left_to)
    if isinstance(left, own) or isinstance(right, own):
        return NotImplemented
    if _is_array(left) or _is_array(right):
        return _of_arrays(name, left, right)
    for operand in (left, right):
        if not isinstance(operand, int | float | Dim | Real):
            raise ModelError(here(f"{SIGNS.get(name, name)} of a size and {an(type(operand).__name__)}"))
    if name not in SIGNS:
        return _of_bits(name, left, right)
    whole = isinstance(left, int | Dim) and isinstance(right, int | Dim)
    if whole and name in INTEGERS and not (name == "pow" and isinstance(right, int) and right < 0):
        return INTEGERS[name](left, right)
    return _real(name, left, right)


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray) or is_torch(value)


def _of_arrays(name: str, left: Any, right: Any) -> Any:
    if name not in SIGNS:
        raise ModelError(here(f"{name} of a size and an array: TensorRT has no bitwise operations on integers"))
    return getattr(Symbolic.operations, name)(left, right)


def _of_bits(sign: str, left: Term, right: Term) -> Any:
    """Shifts by, and the lowest bits of, a known number; the rest has no layer."""
    if isinstance(left, Dim) and isinstance(right, int) and right >= 0:
        if sign in ("<<", ">>"):
            return (multiplied if sign == "<<" else floor_divided)(left, 1 << right)
        if sign == "&" and right & (right + 1) == 0:
            return remainder(left, right + 1)
    raise ModelError(here(f"{left} {sign} {right}: TensorRT has no bitwise operations on sizes; use * // and %"))


def _real(name: str, left: Term, right: Term) -> Any:
    if right == 0 and name in ("div", "floor_divide", "remainder"):
        raise ModelError(here(f"{left} {SIGNS[name]} 0 has no value"))
    if name == "floor_divide":
        return _real("mul", math.floor(_real("div", left, right)), 1.0)
    if name == "remainder":
        return _real("sub", left, _real("mul", _real("floor_divide", left, right), right))
    shown = f"({left} {SIGNS[name]} {right})"
    return Real(shown, Arithmetic(FLOATS[name], left, right), _ratio(name, _fraction(left), _fraction(right)))


def _fraction(term: Term) -> Ratio | None:
    """A number as a simple fraction, if that is it in float64."""
    if isinstance(term, Real):
        return term.ratio
    if not isinstance(term, float):
        return term, 1
    if not math.isfinite(term):
        return None
    for found in (Fraction(term).limit_denominator(1000), Fraction(term)):
        if float(found) == term and found.denominator <= 1 << 20:
            return found.numerator, found.denominator
    return None


def _ratio(name: str, left: Ratio | None, right: Ratio | None) -> Ratio | None:
    if left is None or right is None or name == "pow":
        return None
    (a, b), (c, d) = left, right
    if name == "mul":
        return multiplied(a, c), multiplied(b, d)
    if name == "div":
        return multiplied(a, d), multiplied(b, c)
    combined = added if name == "add" else subtracted
    return (combined(a, c), b) if b == d else (combined(multiplied(a, d), multiplied(c, b)), multiplied(b, d))


def _checked(real: Real, rounding: str, size: Size) -> Size:
    """A size, if it is what Python's float64 gives. Raises ModelError with the sizes where it is not."""
    found = _first_difference(real, rounding, size)
    if found:
        raise ModelError(
            here(
                f"{rounding}({real}) is not what it would be without the rounding of float64 where {found}, so that an"
                f" engine cannot have it: write it with integers, as n * 7 // 10 for floor(n * 0.7)"
            )
        )
    return size


@lru_cache(maxsize=1024)
def _first_difference(real: Real, rounding: str, size: Size) -> str:
    names = sorted({*leaves(real), *leaves(size)})
    if len(names) == 1:
        samples = [np.arange(1, TRIED)]
    else:
        generator = np.random.default_rng(0)
        samples = [np.concatenate([generator.integers(1, high, 1 << 16) for high in (64, 4096)]) for _ in names]
    values = dict(zip(names, samples, strict=True))
    with np.errstate(all="ignore"):
        floats = getattr(np, rounding)(evaluated(real, values, np.float64))
        different = np.isfinite(floats) & (floats != evaluated(size, values, np.int64))
    if not different.any():
        return ""
    first = int(np.argmax(different))
    return ", ".join(f"{name} is {values[name][first]}" for name in names)


def leaves(term: Any) -> Iterator[str]:
    """The names of the dimensions that a size, or a float of sizes, is computed from."""
    origin = getattr(term, "origin", None)
    if isinstance(origin, Arithmetic):
        yield from leaves(origin.left)
        yield from leaves(origin.right)
    elif isinstance(term, Dim):
        yield term.name


NUMPY: dict[str, Callable[[Array, Array], Array]] = {
    "SUM": np.add,
    "SUB": np.subtract,
    "PROD": np.multiply,
    "DIV": np.divide,
    "FLOOR_DIV": np.floor_divide,
    "POW": np.power,
    "MAX": np.maximum,
    "MIN": np.minimum,
}


def evaluated(term: Any, values: dict[str, Array], dtype: Any) -> Array:
    """A float of sizes as Python computes it, for many sizes at once."""
    if isinstance(term, int | float):
        return np.asarray(term, np.int64 if isinstance(term, int) else np.float64)
    if not isinstance(term.origin, Arithmetic):
        return values[term.name]
    inside = np.int64 if isinstance(term, Dim) else np.float64
    left, right = (evaluated(x, values, inside) for x in (term.origin.left, term.origin.right))
    return NUMPY[term.origin.operation](left.astype(inside), right.astype(inside))


SizeOperators.computed = staticmethod(_computed)
