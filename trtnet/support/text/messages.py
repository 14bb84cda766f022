"""How error messages are laid out, and how they call what was found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from trtnet.support.source import SourceLine, at


def message(headline: str, source: SourceLine | None, operands: Iterable[tuple[str, str]], words: Iterable[str]) -> str:
    """A message of one line each; the operands by name, as a table."""
    return "\n".join([at(source, headline), *(f"  {line}" for line in (*_table(list(operands)), *words))])


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def type_name(value: object) -> str:
    """``torch.nn.Linear``, ``numpy.ndarray``, ``int``: a value's type as its user writes it."""
    module = re.sub(r"^torch\.nn\..*", "torch.nn", type(value).__module__)
    return type(value).__name__ if module == "builtins" else f"{module}.{type(value).__name__}"
