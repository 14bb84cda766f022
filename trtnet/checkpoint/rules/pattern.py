"""The regular expressions of rules, of which most can be turned around.

A pattern is literal text with groups in it, ``^encoder\\.(\\d+)\\.(weight|bias)$``; what it becomes is a template,
``layers.\\1.\\2``. Turned around, the template is the pattern and the pattern the template.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted

LONGEST = 500
MOST_REPEATS = 6
MOST_STEPS = 10**8
"""The most characters that a search may look at, by an estimate that is never too low: a second."""

_TOKEN = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.)([*+?]|\{\d*,?\d*\})?", re.DOTALL)
_SPECIAL = set(".[]*+?{}|^$")


@dataclass(frozen=True)
class Pattern:
    """A regular expression without groups in groups or repeated groups, so that the time of a search is known.

    parts: literal text, and the sources of groups, in turn; None where text outside of the groups is not a literal.
    repeated: what its quantifiers repeat, each a character. choices: the combinations of alternatives and ``?``.
    everywhere: a search begins at every character of a key.
    """

    text: str
    regex: re.Pattern[str]
    parts: tuple[tuple[str, bool], ...] | None
    anchors: tuple[bool, bool]
    repeated: tuple[re.Pattern[str], ...]
    choices: int
    everywhere: bool

    def search(self, key: str) -> re.Match[str] | None:
        """What `re.search` finds. Raises CheckpointError for a key in which the pattern might be sought for long."""
        runs = (max(map(len, run.findall(key)), default=0) + 1 for run in self.repeated)
        starts = len(key) + 1 if self.everywhere else 1
        if starts * self.choices * math.prod(runs) * len(self.text) > MOST_STEPS:
            raise CheckpointError(
                f"the pattern '{self.text}' might take too long on the key {key[:100]!r}: repeat less, or something"
                f" narrower than any character, such as \\d or [^.]"
            )
        return self.regex.search(key)

    @property
    def groups(self) -> list[str]:
        return [source for source, is_group in self.parts or () if is_group]


def pattern(text: object) -> Pattern:
    """Reads a pattern. Raises CheckpointError for one that is not text, not a regular expression, or too complex."""
    if not isinstance(text, str) or not text or len(text) > LONGEST:
        raise CheckpointError(f"a pattern is a regular expression of 1 to {LONGEST} characters, found {text!r}")
    tokens = _TOKEN.findall(text)
    if any(re.fullmatch(r"\\[1-9]", what) for what, _ in tokens):
        raise CheckpointError(
            f"the pattern '{text}' has a backreference, such as \\1, which patterns may not have: it belongs in the"
            f" template; write a rule for each name instead"
        )
    if _is_intricate(tokens):
        raise CheckpointError(
            f"the pattern '{text}' is too complex: nested, repeated or special groups and groups that come again are"
            f" not allowed, nor more than {MOST_REPEATS} repeats"
        )
    try:
        regex = re.compile(text)
        repeated = tuple(re.compile(f"(?:{what})+") for what, repeat in tokens if repeat not in ("", "?"))
    except (re.error, OverflowError, RecursionError) as error:
        raise CheckpointError(f"the pattern '{text}' is not a regular expression: {error}") from error
    body, anchors = _without_anchors(text)
    alternatives = _alternatives(tokens)
    choices = math.prod(alternatives) << sum(repeat == "?" for _, repeat in tokens)
    if choices * len(text) > MOST_STEPS:
        raise CheckpointError(
            f"the pattern '{text}' is too complex: its alternatives have {counted(choices, 'combination')}"
        )
    return Pattern(text, regex, _parts(body), anchors, repeated, choices, not anchors[0] or alternatives[0] > 1)


def _is_intricate(tokens: list[tuple[str, str]]) -> bool:
    """Whether how long a search takes cannot be told. tokens: (a character, class or parenthesis, what repeats it)."""
    depths = list(accumulate((what == "(") - (what == ")") for what, _ in tokens))
    repeats = sum(repeat not in ("", "?") for _, repeat in tokens)
    again = any((what in "()" and repeat) or re.fullmatch(r"\\[1-9]", what) for what, repeat in tokens)
    return again or max(depths) > 1 or repeats > MOST_REPEATS


def _alternatives(tokens: list[tuple[str, str]]) -> list[int]:
    """How many there are outside of groups, and in each group."""
    counts, inside = [1], False
    for what, _ in tokens:
        if what == "(":
            counts.append(1)
        inside = what != ")" and (inside or what == "(")
        counts[-1 if inside else 0] += what == "|"
    return counts


def template(text: object, groups: int) -> str:
    """Reads a template, whose ``\\1`` stand for groups. Raises CheckpointError for an unknown group."""
    if not isinstance(text, str) or len(text) > LONGEST:
        raise CheckpointError(f"a template is text of at most {LONGEST} characters, found {text!r}")
    beyond = [int(n) for n in re.findall(r"\\(\d)", text) if not 1 <= int(n) <= groups]
    if beyond or re.search(r"\\\D|\\$", text):
        raise CheckpointError(
            f"the template '{text}' refers to a group that its pattern does not have: it has {groups}"
        )
    return text


def expand(match: re.Match[str], template: str) -> str:
    """What a template becomes for one match."""
    return re.sub(r"\\(\d)", lambda found: match.group(int(found[1])) or "", template)


def turned(source: Pattern, templates: Sequence[str]) -> tuple[Pattern, list[str]] | None:
    """(the first template as a pattern, the source and the other templates as templates of it).

    None where that loses something: a group that the template drops or repeats, or a source that is not literal text.
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
