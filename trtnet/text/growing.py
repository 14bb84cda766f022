"""Tokens to text, as they come, up to a text that ends it."""

from __future__ import annotations

from collections.abc import Sequence

from trtnet.text.tokenizer import Tokenizer


class GrowingText:
    """The text of tokens that come one by one; none without a tokenizer.

    stop_strings: those that end it. `so_far` is the text without a character, or what may be a stop string, that is not
    whole yet; `stopped` says whether a stop string came.
    """

    def __init__(self, tokenizer: Tokenizer | None, stop_strings: Sequence[str] = ()) -> None:
        self._tokenizer, self._stops = tokenizer, stop_strings
        self._tokens: list[int] = []
        self._start = self._done = 0
        self._decoded = self.so_far = ""
        self.stopped = False

    def add(self, token: int) -> None:
        """A further token."""
        self._tokens.append(token)
        self._read(is_last=False)

    def end(self) -> None:
        """No more tokens come: what is not whole is text as it is."""
        if not self.stopped:
            self._read(is_last=True)

    def _read(self, is_last: bool) -> None:
        if self._tokenizer is None:
            return
        known = self._tokenizer.decode(self._tokens[self._start : self._done])
        found = self._tokenizer.decode(self._tokens[self._start :])
        if found.endswith("\ufffd") and not is_last:  # the first bytes of a character
            return
        self._start, self._done = self._done, len(self._tokens)
        text = self._decoded = self._decoded + found[len(known) :]
        stops = [place for stop in self._stops if (place := text.find(stop, len(self.so_far))) >= 0]
        begun = max((n for stop in self._stops for n in range(len(stop)) if text.endswith(stop[:n])), default=0)
        self.stopped = bool(stops)
        self.so_far = text[: min(stops, default=len(text) - begun * (not is_last))]
