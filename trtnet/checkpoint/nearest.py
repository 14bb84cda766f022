"""Which keys somebody may have meant by a pattern that matches none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice

MOST_KINDS = 2_000
LONGEST = 200


def nearest(pattern: str, keys: Iterable[str], most: int = 3) -> list[str]:
    """The keys that have most of a regular expression's text in them; one of those that differ in numbers alone."""
    text = _plain(pattern)
    kinds: dict[str, str] = {}
    for key in keys:
        kinds.setdefault(re.sub(r"\d+", "0", key), key)
    found = sorted(islice(kinds, MOST_KINDS), key=lambda kind: (-_shared(text, kind[:LONGEST]), len(kind)))
    return [kinds[kind] for kind in found[:most]]


def _plain(pattern: str) -> str:
    """What a pattern looks like as a key: a digit for digits, the first of alternatives."""
    text = re.sub(r"\\d[+*?]?", "0", pattern)
    text = re.sub(r"\|[^()|]*", "", text)
    return re.sub(r"[\\^$()*+?\[\]{}]", "", text)[:LONGEST]


def _shared(text: str, key: str) -> int:
    """How many letters of the text the key has in the same order, in runs of three and more."""
    blocks = SequenceMatcher(None, text, key, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size > 2)
