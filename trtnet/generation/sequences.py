"""Sequences of tokens that are generated, and guesses of what comes next in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trtnet.generation.configuration import GenerationConfig
from trtnet.generation.text import Text

LONGEST = 3
"""Tokens at the end that are looked for; fewer if they are not found."""


@dataclass(frozen=True)
class Completion:
    """What was generated. text: "" without a tokenizer. tokens: without the one that ended it.

    finish_reason: "stop" for a token or text that ends, "length" for as many tokens as were asked for or as the caches
    hold. steps: how many calls of the step it took, after those for the prompt.
    """

    text: str
    tokens: list[int]
    finish_reason: str
    steps: int


@dataclass
class Row:
    """A sequence of a batch: a prompt and what follows, together in `whole`.

    ends: tokens that end it. limit: the most tokens that follow. held: how many of the whole are in the caches.
    """

    whole: list[int]
    config: GenerationConfig
    ends: frozenset[int]
    limit: int
    text: Text
    tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    finish_reason: str = ""
    steps: int = 0
    held: int = 0

    def follow(self, held: int, guesses: Sequence[int], chosen: Sequence[int]) -> None:
        """Goes on after a step. held: up to where it wrote. chosen: the next token, and one after each guess."""
        self.held = held
        if held < len(self.whole):
            return
        self.steps += bool(self.tokens)
        for guess, token in zip([*guesses, None], chosen, strict=True):
            self._take(token)
            if self.finish_reason or token != guess:
                break
        self.held = len(self.whole) - 1

    def _take(self, token: int) -> None:
        is_end = token in self.ends
        if not is_end:
            self.whole.append(token)
            self.tokens.append(token)
            self.pieces.append(self.text.add(token))
        if is_end or self.text.stopped or len(self.tokens) == self.limit:
            self.pieces.append(self.text.end())
            self.finish_reason = "stop" if is_end or self.text.stopped else "length"


def draft(tokens: Sequence[int], count: int) -> list[int]:
    """`count` tokens that followed when the last ones came before, filled up with the last token.

    Source: prompt lookup decoding, Saxena, 2023.
    """
    if not count:
        return []
    known, found = np.asarray(tokens, np.int64), list[int]()
    for length in range(min(LONGEST, known.size - 1), 0, -1):
        windows = np.lib.stride_tricks.sliding_window_view(known[:-1], length)
        places = np.flatnonzero((windows == known[-length:]).all(1))
        if places.size:
            after = int(places[-1]) + length
            found = known[after : after + count].tolist()
            break
    return [*found, *[tokens[-1]] * (count - len(found))]
