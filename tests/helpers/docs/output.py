"""Whether a command printed what a page shows."""

from __future__ import annotations

import math
import re
from itertools import pairwise

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\w)")
LAYOUT = re.compile(r"[\s━┏┳┓┡╇┩└┴┘─┃│]+")


def agrees(shown: str, printed: str) -> bool:
    """Every line shown was printed, in this order and without others between them, except where a line is ``...``.

    Inside a line ``...`` stands for any text. Integers must be equal, other numbers to 1 part in 1000, below 0.01,
    which are errors of rounding, to a factor of 3; below 1e-6 it is enough that both are. The widths of columns are
    left out.
    """
    wanted, found = _lines(shown), _lines(printed)
    parts = [list(part) for part in _split(wanted)]
    if len(parts) == 1:
        return len(wanted) == len(found) and _match(wanted, found)
    first, *middle, last = parts
    if not _match(first, found[: len(first)]) or (last and not _match(last, found[-len(last) :])):
        return False
    at, end = len(first), len(found) - len(last)
    for part in middle:
        while at + len(part) <= end and not _match(part, found[at : at + len(part)]):
            at += 1
        at += len(part)
    return at <= end


def _split(lines: list[str]) -> list[list[str]]:
    cuts = [-1, *(i for i, line in enumerate(lines) if line == "..."), len(lines)]
    return [lines[a + 1 : b] for a, b in pairwise(cuts)]


def _lines(text: str) -> list[str]:
    lines = [LAYOUT.sub(" ", line).strip() for line in text.splitlines()]
    return [line for line in lines if line]


def _match(wanted: list[str], found: list[str]) -> bool:
    return len(wanted) == len(found) and all(map(_same, wanted, found))


def _same(shown: str, printed: str) -> bool:
    pattern = ".*".join(map(_pattern, shown.split("...")))
    values = re.fullmatch(pattern, printed)
    numbers = NUMBER.findall(shown)
    return values is not None and all(map(_near, numbers, values.groups()))


def _pattern(text: str) -> str:
    texts = NUMBER.split(text)
    return rf"({NUMBER.pattern})".join(map(re.escape, texts))


def _near(shown: str, printed: str) -> bool:
    if "." not in shown:
        return shown == printed
    a, b = float(shown), float(printed)
    if max(abs(a), abs(b)) < 1e-6:
        return True
    return (a * b > 0 and 1 / 3 < a / b < 3) if abs(a) < 0.01 else math.isclose(a, b, rel_tol=1e-3)
