"""Numbers to read."""

from __future__ import annotations

_PREFIXES = "", "k", "M", "G", "T", "P"


def quantity(value: float, unit: str) -> str:
    """In powers of 1000, three digits: ``quantity(46_828_160, "B")`` -> ``"46.8 MB"``; ``"0"`` for nothing."""
    power = 0
    while abs(value) >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    text = f"{value:.3g}" if power else f"{value:g}"
    return f"{text} {_PREFIXES[power]}{unit}".rstrip() if value else "0"


def shape(sizes: tuple[int | str, ...]) -> str:
    """``[1, 64, 112, 112]``; ``?`` for a size that is not known, -1."""
    return f"[{', '.join('?' if size == -1 else str(size) for size in sizes)}]"
