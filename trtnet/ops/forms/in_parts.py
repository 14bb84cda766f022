"""Forms of several kinds whose long sums are made in parts: halves, quarters and eighths."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from trtnet.ops.formulations import form

Terms = Callable[..., int | None]
"""How many terms a sum has; None where it cannot be in parts. Its docstring names them, for errors."""
PARTS = {"halves": 2, "quarters": 4, "eighths": 8}


def in_parts(kind: str, *names: str, terms: Terms) -> Callable[..., Any]:
    """Declares a function as these forms of a kind, for sums of a multiple of so many terms.

    It takes how many parts there are, then the arguments of the neutral form, of which `terms` takes the same.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            form(kind, name, applies=_are_multiple(terms, PARTS[name]))(partial(function, PARTS[name]))
        return function

    return decorate


def _are_multiple(terms: Terms, parts: int) -> Callable[..., bool]:
    def applies(*arguments: Any) -> bool:
        count = terms(*arguments)
        return count is not None and count % parts == 0

    applies.__doc__ = f"Whether {(terms.__doc__ or '').rstrip('.')} are a multiple of {parts}."
    return applies
