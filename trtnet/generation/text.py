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
    """The text of tokens that come one by one; none without a tokenizer.

    stop_strings: those that end it. `stopped` says whether one came; `whole` is the text so far.
    """

    def __init__(self, tokenizer: Tokenizer | None, stop_strings: Sequence[str] = ()) -> None:
        self._tokenizer, self._stops = tokenizer, stop_strings
        self._tokens: list[int] = []
        self._start = self._done = 0
        self._held = self.whole = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """What a further token adds: nothing while a character, or what may be a stop string, is not whole."""
        self._tokens.append(token)
        return self._added(is_last=False)

    def end(self) -> str:
        """What is left when no more tokens come."""
        return "" if self.stopped else self._added(is_last=True)

    def _added(self, is_last: bool) -> str:
        if self._tokenizer is None:
            return ""
        known = self._tokenizer.decode(self._tokens[self._start : self._done])
        found = self._tokenizer.decode(self._tokens[self._start :])
        if found.endswith("\ufffd") and not is_last:  # the first bytes of a character
            return ""
        self._start, self._done = self._done, len(self._tokens)
        text = self._held + found[len(known) :]
        ends = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        self.stopped = bool(ends)
        begun = max((n for stop in self._stops for n in range(len(stop)) if text.endswith(stop[:n])), default=0)
        kept = min(ends) if ends else len(text) - begun * (not is_last)
        self._held = text[kept:]
        self.whole += text[:kept]
        return text[:kept]
