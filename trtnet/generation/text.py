"""Tokens to text, a piece at a time, up to a text that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Tokenizer(Protocol):
    """What turns text into tokens and back; transformers' tokenizers fit, too."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The tokens of a text, with those that begin one."""
        ...

    def decode(self, token_ids: list[int], skip_special_tokens: bool = True) -> str:
        """The text of tokens."""
        ...


class Text:
    """The text of tokens that come one by one.

    stop_strings: those that end it. `stopped` says whether one came; `whole` is the text so far.
    """

    def __init__(self, tokenizer: Tokenizer, stop_strings: Sequence[str] = ()) -> None:
        self._tokenizer, self._stops = tokenizer, stop_strings
        self._tokens: list[int] = []
        self._start = self._done = 0
        self._held = ""
        self.whole = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """What a further token adds: nothing while a character, or what may be a stop string, is not whole."""
        self._tokens.append(token)
        known = self._tokenizer.decode(self._tokens[self._start : self._done])
        found = self._tokenizer.decode(self._tokens[self._start :])
        if found.endswith("\ufffd"):  # the first bytes of a character
            return ""
        self._start, self._done = self._done, len(self._tokens)
        return self._given(self._held + found[len(known) :])

    def end(self) -> str:
        """What is left when no more tokens come."""
        if self.stopped:
            return ""
        rest = self._tokenizer.decode(self._tokens[self._start :])
        known = self._tokenizer.decode(self._tokens[self._start : self._done])
        given = self._given(self._held + rest[len(known) :])
        left = "" if self.stopped else self._held
        self._held, self._done = "", len(self._tokens)
        self.whole += left
        return given + left

    def _given(self, text: str) -> str:
        ends = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        self.stopped = bool(ends)
        kept = min(ends) if ends else len(text) - max((_begun(text, stop) for stop in self._stops), default=0)
        self._held = text[kept:]
        self.whole += text[:kept]
        return text[:kept]


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of a text are the first of another."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n])), 0)
