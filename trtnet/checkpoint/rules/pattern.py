"""The regular expressions of rules, of which most can be turned around.

A pattern is literal text with groups in it, ``^encoder\\.(\\d+)\\.(weight|bias)$``; what it becomes is a template,
``layers.\\1.\\2``. Turned around, the template is the pattern and the pattern the template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trtnet.errors import CheckpointError

LONGEST = 500
MOST_REPEATS = 6
_SPECIAL = set(".[]*+?{}|^$")


@dataclass(frozen=True)
class Pattern:
    """A regular expression without groups in groups or repeated groups, so that matching it never takes long.

    parts: literal text, and the sources of groups, in turn; None where text outside of the groups is no literal.
    """

    text: str
    regex: re.Pattern[str]
    parts: tuple[tuple[str, bool], ...] | None
    anchors: tuple[bool, bool]

    @property
    def groups(self) -> list[str]:
        return [source for source, is_group in self.parts or () if is_group]


def pattern(text: object) -> Pattern:
    """Reads a pattern. Raises CheckpointError for one that is no text, no regular expression, or too intricate."""
    if not isinstance(text, str) or not text or len(text) > LONGEST:
        raise CheckpointError(f"a pattern is a regular expression of 1 to {LONGEST} characters, found {text!r}")
    bare = re.sub(r"\\.", "", text)
    if re.search(r"\)[*+?{]|\([^)]*\(|\(\?", bare) or len(re.findall(r"[*+{]", bare)) > MOST_REPEATS:
        raise CheckpointError(
            f"the pattern {text!r} is too intricate: no groups in groups, no repeated or special groups, at most"
            f" {MOST_REPEATS} repeats"
        )
    try:
        regex = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise CheckpointError(f"the pattern {text!r} is no regular expression: {error}") from error
    body, anchors = _without_anchors(text)
    return Pattern(text, regex, _parts(body), anchors)


def template(text: object, groups: int) -> str:
    """Reads a template, whose ``\\1`` stand for groups. Raises CheckpointError for a group that there is not."""
    if not isinstance(text, str) or len(text) > LONGEST:
        raise CheckpointError(f"a template is text of at most {LONGEST} characters, found {text!r}")
    beyond = [int(n) for n in re.findall(r"\\(\d)", text) if not 1 <= int(n) <= groups]
    if beyond or re.search(r"\\\D|\\$", text):
        raise CheckpointError(f"the template {text!r} speaks of a group that its pattern has not: it has {groups}")
    return text


def expand(match: re.Match[str], template: str) -> str:
    """What a template becomes for one match."""
    return re.sub(r"\\(\d)", lambda found: match.group(int(found[1])) or "", template)


def turned(source: Pattern, templates: Sequence[str]) -> tuple[Pattern, list[str]] | None:
    """(the first template as a pattern, the source and the other templates as templates of it).

    None where that loses something: a group that the template drops or repeats, or a source that is no literal text.
    """
    order = [int(n) for n in re.findall(r"\\(\d)", templates[0])]
    if source.parts is None or sorted(order) != list(range(1, len(source.groups) + 1)):
        return None
    pieces = re.split(r"\\(\d)", templates[0])
    body = "".join(f"({source.groups[int(p) - 1]})" if i % 2 else re.escape(p) for i, p in enumerate(pieces))
    text = f"{'^' * source.anchors[0]}{body}{'$' * source.anchors[1]}"
    number = {old: new for new, old in enumerate(order, start=1)}
    back, group = "", 0
    for part, is_group in source.parts:
        group += is_group
        back += f"\\{number[group]}" if is_group else part
    others = [re.sub(r"\\(\d)", lambda found: f"\\{number[int(found[1])]}", other) for other in templates[1:]]
    return pattern(text), [back, *others]


def _without_anchors(text: str) -> tuple[str, tuple[bool, bool]]:
    start = text.startswith("^")
    end = text.endswith("$") and not text.endswith("\\$")
    return text[start : len(text) - end], (start, end)


def _parts(body: str) -> tuple[tuple[str, bool], ...] | None:
    parts: list[tuple[str, bool]] = []
    for piece in re.split(r"((?<!\\)\((?:[^)\\]|\\.)*\))", body):
        if piece.startswith("("):
            parts.append((piece[1:-1], True))
        elif set(re.sub(r"\\[^\w]", "", piece)) & (_SPECIAL | {"\\", "(", ")"}):
            return None
        elif piece:
            parts.append((re.sub(r"\\(.)", r"\1", piece), False))
    return tuple(parts)
