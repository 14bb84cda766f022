"""The text of one window: the most likely token each time, samples, or several texts at once (beams)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.generation.speech.configuration import TranscriptionConfig
from trtnet.generation.speech.steps import Steps
from trtnet.generation.speech.tokens import SpeechTokens

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Decoded:
    """The text of a window. tokens: without the one that ends it. logprob: the sum of those of its tokens and its end.

    no_speech: the probability that the window is silent.
    """

    tokens: list[int]
    logprob: float
    no_speech: float
    temperature: float

    @property
    def mean_logprob(self) -> float:
        return self.logprob / (len(self.tokens) + 1)


@dataclass(frozen=True)
class _Text:
    """One of the texts that are followed. source: the row that its last token came from."""

    tokens: tuple[int, ...]
    logprob: float
    source: int

    @property
    def rank(self) -> float:
        return self.logprob / max(1, len(self.tokens))


class Decoding:
    """Decodes windows. steps: holds the window of the sound. most: the most tokens of a text."""

    def __init__(self, steps: Steps, tokens: SpeechTokens, config: TranscriptionConfig) -> None:
        self._steps, self._tokens, self._config = steps, tokens, config
        self._most = steps.capacity // 2

    def __call__(self, prompt: Sequence[int], begin: int, temperature: float, random: np.random.Generator) -> Decoded:
        """The text after a prompt, whose token that begins it is at `begin`."""
        config = self._config
        rows = config.best_of if temperature else config.beam_size
        first = self._steps.begin(prompt, [begin, len(prompt) - 1], rows)
        no_speech = float(np.exp(log_softmax(first[0])[self._tokens.no_speech]))
        live, ended = [_Text((), 0.0, 0)], list[_Text]()
        logits = first[1:]
        most = min(self._most, self._steps.capacity - len(prompt) + 1)  # no step is needed after the last token
        for count in range(1, most + 1):
            likely = self._log_probabilities(logits, live)
            if temperature:
                starting = live * rows if not live[0].tokens and not ended else live
                live, done = self._sampled(likely, starting, temperature, random)
            else:
                live, done = self._followed(likely, live, rows)
            ended = [*ended, *done][:rows]
            if not live or len(ended) == rows or count == most:
                break
            padded = [*live, *[live[-1]] * (rows - len(live))]
            logits = self._steps.next([text.tokens[-1] for text in padded], [text.source for text in padded])
        best = max(ended if len(ended) == rows else [*ended, *live], key=lambda text: text.rank)
        return Decoded([*best.tokens], best.logprob, no_speech, temperature)

    def _log_probabilities(self, logits: Array, live: Sequence[_Text]) -> Array:
        scores = logits[: len(live)].astype(np.float32)
        for row, text in zip(scores, live, strict=True):
            self._tokens.forbid(row, text.tokens, self._config.timestamps)
        return log_softmax(scores)

    def _followed(self, likely: Array, live: list[_Text], rows: int) -> tuple[list[_Text], list[_Text]]:
        """(the best texts one token longer, those that ended among them)."""
        choices = [
            (text.logprob + float(scores[token]), row, int(token))
            for row, (scores, text) in enumerate(zip(likely, live, strict=True))
            for token in (np.argpartition(-scores, rows)[: rows + 1] if rows > 1 else [scores.argmax()])
        ]
        going: list[_Text] = []
        done: list[_Text] = []
        for logprob, row, token in sorted(choices, reverse=True):
            (done if token == self._tokens.end else going).append(self._longer(live[row], token, logprob, row))
            if len(going) == rows:
                break
        return going, done

    def _sampled(
        self, likely: Array, live: list[_Text], temperature: float, random: np.random.Generator
    ) -> tuple[list[_Text], list[_Text]]:
        going: list[_Text] = []
        done: list[_Text] = []
        for row, text in enumerate(live):
            scores = likely[min(row, len(likely) - 1)]
            total = np.cumsum(np.exp(log_softmax(scores.astype(np.float64) / temperature)))
            token = int(np.searchsorted(total, random.random() * total[-1], side="right"))
            longer = self._longer(text, token, text.logprob + float(scores[token]), row)
            (done if token == self._tokens.end else going).append(longer)
        return going, done

    def _longer(self, text: _Text, token: int, logprob: float, row: int) -> _Text:
        return _Text(text.tokens if token == self._tokens.end else (*text.tokens, token), logprob, row)


def log_softmax(scores: Array) -> Array:
    """The logarithms of the probabilities, over the last axis."""
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
