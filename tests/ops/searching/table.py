"""The table of what is searched: rows by name, each a function that draws a case."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from ops.searching.case import FLOATING, Case
from ops.searching.drawing import Draw, Integer

Row = Callable[[Draw], str]
"""Draws the inputs of a case and returns the expression it computes."""


@dataclass(frozen=True)
class Entry:
    """One row: an operation or a layer."""

    name: str
    family: str
    draw: Row
    exact: bool
    dtypes: tuple[str, ...]

    def case(self, integer: Integer) -> Case:
        """One case of it, from a source of ints."""
        draw = Draw(self.name, integer, dtypes=self.dtypes)
        draw.exact = self.exact
        return draw.done(self.draw(draw))


TABLE: dict[str, Entry] = {}


def row(
    family: str, *names: str, exact: bool = False, dtypes: tuple[str, ...] = FLOATING
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Adds a function to the table, once for each name, which it then gets as its second argument."""

    def add(function: Callable[..., str]) -> Callable[..., str]:
        for name in names or (function.__name__.strip("_"),):
            assert name not in TABLE, name
            given = (lambda d, n=name: function(d, n)) if names else function
            TABLE[name] = Entry(name, family, given, exact, dtypes)
        return function

    return add


def some_cases(op: str, count: int, seed: int, dtype: str = "") -> list[Case]:
    """Different cases of a row by a seed, without hypothesis; of one float only if that is said."""
    source = random.Random(f"{op} {seed}")
    found: dict[str, Case] = {}
    for _ in range(10 * count + 20):
        made = TABLE[op].case(source.randint)
        if len(found) < count and dtype in ("", made.dtype):
            found.setdefault(repr(made), made)
    return list(found.values())
