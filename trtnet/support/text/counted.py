"""Numbers and names of things in sentences: `1 shard`, `2 shards`, `an int`, `a float`."""

from __future__ import annotations

VOWELS = tuple("aeiou")
SAID_OTHERWISE = ("uni", "use", "uint", "one", "eu")
"""Beginnings that are written with a vowel and not said with one."""


def counted(count: object, one: str, many: str = "") -> str:
    """A number of things: ``counted(1, "shard")`` is `1 shard`, ``counted(1200, "entry", "entries")`` `1,200 entries`.

    count: an int, or a size that is not known yet, by its name. many: the plural, if it is not the singular with an s.
    """
    if not isinstance(count, int):
        return f"{count} {many or f'{one}s'}"
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def an(name: str) -> str:
    """A name with its article, by how it is said: `an int`, `a float`, `a uint8`, `an LSTM`."""
    return f"{'an' if _begins_with_a_vowel(name) else 'a'} {name}"


def _begins_with_a_vowel(name: str) -> bool:
    if name[:2].isupper() or name.startswith("nd"):  # spelled
        return name[0].upper() in "AEFHILMNORSX"
    return name[:1].lower() in VOWELS and not name.lower().startswith(SAID_OTHERWISE)
