"""How a case is drawn: what the rows of the table ask for their shapes, dtypes, numbers and spellings."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from ops.searching.case import FLOATING, Case, Operand

T = TypeVar("T")
Integer = Callable[[int, int], int]
"""A source of ints between two bounds, both included; 0 is the simplest where a finding is minimized."""

NUMBERS = ("2", "0", "1", "-1", "0.5", "3", "-2.5", "1e-8", "inf", "-inf", "nan", "True", "1e5", "0.1", "-0.0")
SIZES = (2, 3, 1, 4, 5, 7, 1, 2, 6, 0)
LAYOUTS = ("plain", "plain", "plain", "plain", "transposed", "sliced", "channels_last")


class Size(int):
    """A size that several axes share: one name where the definition is dynamic."""

    __slots__ = ()


class Draw:
    """What one case is made of while it is drawn."""

    def __init__(self, op: str, integer: Integer, *, dtypes: Sequence[str] = FLOATING) -> None:
        self.op = op
        self.integer = integer
        self.main = self.choice(("float32", "float32", *dtypes)) if "float32" in dtypes else self.choice(dtypes)
        self.operands: list[tuple[list[int], str, str, str]] = []
        self.lines: list[str] = []
        self.layer = ""
        self.exact = False

    # choices
    def choice(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)] if len(options) > 1 else options[0]

    def chance(self, one_in: int) -> bool:
        """True once in so many times."""
        return self.integer(0, one_in - 1) == one_in - 1

    def maybe(self, text: Any, one_in: int = 2) -> str | None:
        """The text, or nothing: the argument is left out."""
        return str(text) if self.chance(one_in) else None

    def flag(self) -> str:
        return self.choice(("False", "True"))

    def number(self, *options: Any) -> str:
        return str(self.choice(options or NUMBERS)).replace("inf", "math.inf").replace("nan", "math.nan")

    # shapes
    def size(self, *options: int) -> Size:
        """A size of one axis; the same object in several shapes is the same size."""
        if not options and self.chance(8):
            return Size(0 if self.chance(4) else self.choice((1, 8, 9, 16)))
        return Size(self.choice(options or SIZES[:-1]))

    def shape(self, low: int = 0, high: int = 4) -> list[int]:
        return [self.size() for _ in range(self.integer(low, high))]

    def images(self, spatial: int, channels: int | None = None, least: int = 1) -> list[int]:
        """[batch, channels, ...]."""
        sizes = tuple(size for size in (5, 4, 6, 7, 3, 8, 1, 2) if size >= least)
        return [self.size(2, 1, 3), self.size(4, 2, 3, 1, 6) if channels is None else channels,
                *(self.size(*sizes) for _ in range(spatial))]  # fmt: skip

    def broadcast(self, shape: Sequence[int]) -> list[int]:
        """A shape that broadcasts with another."""
        kept = list(shape)[self.integer(0, len(shape)) if self.chance(3) else 0 :]
        return [1 if self.chance(4) else size for size in kept]

    def dim(self, shape: Sequence[int]) -> str:
        """One axis, from the front or the back."""
        rank = max(len(shape), 1)
        return str(self.integer(0, rank - 1) - (rank if self.chance(2) else 0))

    def dims(self, shape: Sequence[int], *, none: bool = True) -> str:
        """Several axes: an int, a tuple, a list, None or nothing at all."""
        rank = max(len(shape), 1)
        chosen = [axis for axis in range(rank) if self.chance(2)]
        signed = [axis - (rank if self.chance(2) else 0) for axis in chosen]
        forms = ["int", "tuple", "list"] + (["None"] if none else [])
        form = self.choice(forms)
        if form == "int" or not signed:
            return self.dim(shape)
        return {"tuple": str(tuple(signed)), "list": str(signed), "None": "None"}[form]

    # tensors
    def dtype(self, *options: str) -> str:
        """A dtype of an operand; the network's float among them."""
        return self.choice(options or (self.main, self.main, self.main, "int64", "int32", "bool", "uint8"))

    def tensor(self, shape: Sequence[int] | None = None, dtype: str | None = None, values: str | None = None) -> str:
        """The name of a new input. Values: drawn too unless said."""
        shape = self.shape() if shape is None else shape
        dtype = dtype or self.main
        if values is None:
            values = self.choice(("normal", "normal", "normal", "ties", "special", "big"))
        layout = self.choice(LAYOUTS)
        self.operands.append((list(shape), dtype, values, layout))
        name = f"x{len(self.operands) - 1}"
        if dtype in FLOATING and dtype != self.main:  # inputs are cast to the network's dtype where they enter
            self.lines.append(f"{name} = {name}.to(torch.{dtype})")
        return name

    def constant(self, shape: Sequence[int], dtype: str | None = None, low: int = -3, high: int = 3) -> str:
        """A torch tensor that is written into the program."""
        dtype = dtype or self.main
        count = functools.reduce(lambda a, b: a * b, shape, 1)
        steps = 1 if dtype not in FLOATING else 4
        flat = [self.integer(0, (high - low) * steps) / steps + low for _ in range(count)]
        numbers = [bool(v > 0) if dtype == "bool" else abs(int(v)) if dtype == "uint8" else int(v) if steps == 1 else v
                   for v in flat]  # fmt: skip
        nested = torch.tensor(numbers, dtype=torch.float64 if steps == 4 else None).reshape(tuple(shape)).tolist()
        return (
            f"torch.tensor({nested}, dtype=torch.{dtype})"
            if count
            else f"torch.zeros({tuple(shape)}, dtype=torch.{dtype})"
        )

    def torch_dtype(self, *options: str) -> str:
        return "torch." + self.choice(options or ("float32", "int64", "float16", "int32", "bool", "bfloat16", "uint8"))

    # spellings
    def call(
        self, name: str, first: str, arguments: Sequence[tuple[str, str | None]] = (), *, method: bool = True
    ) -> str:
        """A call as a function or a method. Arguments that are None are left out; those before the first such one may
        stand by position: always if the keyword is empty, never if it begins with a star."""
        as_method = method and hasattr(torch.Tensor, name) and self.chance(2)
        given, by_position = [], self.chance(2)
        for keyword, value in arguments:
            by_position = not keyword or (by_position and value is not None and keyword[0] != "*")
            if value is not None:
                given.append(value if by_position else f"{keyword.strip('*')}={value}")
        if as_method:
            return f"{first}.{name}({', '.join(given)})"
        return f"ops.{name}({', '.join([first, *given])})"

    def done(self, value: str) -> Case:
        """The case that returns a value; inputs that it does not use are left out."""
        value = self._without_unused(value)
        names, others, operands = self._names(), {}, []
        for shape, dtype, values, layout in self.operands:
            named = tuple(names.get(id(size), "") for size in shape)
            operands.append(Operand(tuple(map(int, shape)), dtype, values, layout, named))
            for name, size in zip(named, shape, strict=True):
                if name and name not in others:
                    others[name] = max(1, int(size) + self.choice((1, 2, 3, -1)))
        return Case(self.op, (*self.lines, f"return {value}"), tuple(operands), self.layer, self.main, others,
                    self.integer(0, 1000), self.exact)  # fmt: skip

    def _without_unused(self, value: str) -> str:
        texts = [*self.lines, value]
        used = [i for i in range(len(self.operands)) if any(re.search(rf"\bx{i}\b(?! = x{i}\.to)", t) for t in texts)]
        if len(used) == len(self.operands) or not used:
            return value
        new = {f"x{old}": f"x{i}" for i, old in enumerate(used)}
        kept = [t for t in texts if all(name in new for name in re.findall(r"\bx\d+\b", t))]
        *self.lines, value = (re.sub(r"\bx\d+\b", lambda found: new[found[0]], text) for text in kept)
        self.operands = [self.operands[i] for i in used]
        return value

    def _names(self) -> dict[int, str]:
        """The axes that shall be dynamic, by the identity of their sizes."""
        sizes: dict[int, None] = {}
        for shape, *_ in self.operands:
            sizes.update({id(size): None for size in shape if isinstance(size, Size) and size > 0})
        which = self.choice(("all", "some", "some", "first"))
        kept = [
            key for i, key in enumerate(sizes) if which == "all" or (i == 0 if which == "first" else self.chance(2))
        ]
        return {key: f"s{i}" for i, key in enumerate(kept)}
