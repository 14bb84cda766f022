"""Sequences of tokens that are generated, and guesses of what comes next in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trtnet.generation.configuration import GenerationConfig
from trtnet.text.growing import GrowingText

LONGEST = 3
"""Tokens at the end that are looked for; fewer if they are not found."""


@dataclass(frozen=True)
class Completion:
    """What was generated. text: "" without a tokenizer. tokens: without the one that ended it.

    finish_reason: "stop" for a token or text that ends, "length" for as many tokens as were asked for or as the caches
    hold. steps: how many calls of the step it took, after those for the prompt. is_cut: whether the caches were full
    before there were as many tokens as were asked for.
    """

    text: str
    tokens: list[int]
    finish_reason: str
    steps: int
    is_cut: bool = False


@dataclass
class Row:
    """A sequence of a batch: a prompt, and what follows it.

    tokens: of both. prompt: how many are the prompt's. most: how many there may be. ends: those that end the sequence.
    text: of what follows. cached: how many tokens the caches hold.
    """

    tokens: list[int]
    prompt: int
    most: int
    config: GenerationConfig
    ends: frozenset[int]
    text: GrowingText
    cached: int = 0
    steps: int = 0
    finish_reason: str = ""

    def window(self, start: int, width: int, guesses: int) -> list[int]:
        """Tokens for a step from a place on: the sequence's, guesses of what follows, and zeros up to the width."""
        return [*self.tokens[start : start + width], *draft(self.tokens, guesses), *[0] * width][:width]

    def follow(self, cached: int, guesses: Sequence[int], chosen: Sequence[int]) -> None:
        """Goes on after a step. cached: up to where it wrote. chosen: the next token, and one after each guess."""
        self.cached = cached
        if cached < len(self.tokens):  # the prompt goes on
            return
        self.steps += len(self.tokens) > self.prompt
        for guess, token in zip([*guesses, None], chosen, strict=True):
            self._take(token)
            if self.finish_reason or token != guess:
                break
        self.cached = len(self.tokens) - 1

    def _take(self, token: int) -> None:
        is_end = token in self.ends
        if not is_end:
            self.tokens.append(token)
            self.text.add(token)
        if is_end or self.text.stopped or len(self.tokens) == self.most:
            self.text.end()
            self.finish_reason = "stop" if is_end or self.text.stopped else "length"

    @property
    def is_cut(self) -> bool:
        """Whether the caches were full before there were as many tokens as were asked for."""
        return self.finish_reason == "length" and len(self.tokens) < self.prompt + self.config.max_new_tokens

    def completion(self) -> Completion:
        return Completion(self.text.so_far, self.tokens[self.prompt :], self.finish_reason, self.steps, self.is_cut)


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
