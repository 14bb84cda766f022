"""From sound of any length to text: windows of 30 seconds, each begun where the text before ends."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from trtnet.generation.speech.audio import RATE
from trtnet.generation.speech.configuration import GREEDY, TranscriptionConfig
from trtnet.generation.speech.decoding import Decoded, Decoding
from trtnet.generation.speech.steps import Array, Steps
from trtnet.generation.speech.tokens import SpeechTokens
from trtnet.support.errors import InputError

STEP, FRAME = RATE // 50, RATE // 100
"""Samples of the 20 milliseconds that times are counted in, and of the 10 of a feature."""


@dataclass(frozen=True)
class Segment:
    """A part of the text. start, end: in seconds. mean_logprob: of its window's tokens.

    no_speech: the probability that its window is silent. temperature: at which its window was decoded.
    """

    start: float
    end: float
    text: str
    tokens: list[int]
    mean_logprob: float
    no_speech: float
    temperature: float


@dataclass(frozen=True)
class Transcription:
    """All segments. language: the code that was given or found."""

    segments: list[Segment]
    language: str

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()


class Transcriber:
    """Writes down what sound says.

    encoder, decoder: references, engines or sessions of :func:`trtnet.models.whisper_encoder` and `whisper_decoder`.
    tokenizer: with ``decode(tokens)``. tokens: the numbers of its special tokens. loudest: gives the largest feature of
    a recording, [samples] int32, by which its quiet parts are measured. device: torch's name of the GPU that
    caches are on; None for numpy arrays on the host.
    Raises InputError for other networks.
    """

    def __init__(
        self,
        encoder: Any,
        decoder: Any,
        tokenizer: Any,
        tokens: SpeechTokens,
        loudest: Callable[[Array], float],
        device: str | None = None,
    ) -> None:
        self._steps, self._loudest = Steps(encoder, decoder, device), loudest
        self._tokenizer, self._tokens = tokenizer, tokens

    def __call__(self, samples: Array, config: TranscriptionConfig = GREEDY) -> Transcription:
        """The text of sound: [samples] int32 from -32768 to 32767, 16,000 a second.

        Raises InputError for other arrays, and for a language or task that the model does not have.
        """
        language = self._language(self._checked(samples), config)
        return Transcription([*self._segments(samples, config, language)], language)

    def stream(self, samples: Array, config: TranscriptionConfig = GREEDY) -> Iterator[Segment]:
        """The segments as they come. Takes and raises what a call does."""
        yield from self._segments(samples, config, self._language(self._checked(samples), config))

    def _checked(self, samples: Array) -> Array:
        if samples.ndim != 1 or samples.dtype != np.int32:
            found = f"{list(samples.shape)} {samples.dtype}"
            raise InputError(f"sound is [samples] int32, 16,000 a second, found {found}; to_samples makes it of floats")
        return samples

    def _language(self, samples: Array, config: TranscriptionConfig) -> str:
        if not self._tokens.languages or config.language is not None:
            return (config.language or "en").lower()
        self._steps.listen(samples, 0, self._steps.samples, self._loudest(samples))  # and the silence after it
        logits = self._steps.begin([self._tokens.begin], [0], 1)[0]
        return max(self._tokens.languages, key=lambda code: logits[self._tokens.languages[code]])

    def _segments(self, samples: Array, config: TranscriptionConfig, language: str) -> Iterator[Segment]:
        beginning = self._tokens.prompt(config, language)
        decode = Decoding(self._steps, self._tokens, config)
        before: list[int] = []
        start, loudest = 0, self._loudest(samples)
        while start < len(samples) // FRAME * FRAME:
            length = min(len(samples) - start, self._steps.samples)
            self._steps.listen(samples, start, length, loudest)
            decoded = self._decoded(decode, beginning, before, config, start)
            silent = decoded.no_speech > config.no_speech_threshold
            if silent and decoded.mean_logprob <= config.logprob_threshold:
                start += length
                continue
            segments, step = self._cut(decoded, start, length // FRAME * FRAME)
            said = [segment for segment in segments if segment.text.strip() and segment.end > segment.start]
            yield from said
            before += [token for segment in said for token in segment.tokens]
            if decoded.temperature > 0.5 or not config.condition_on_previous_text:
                before = []
            start += step

    def _decoded(
        self, decode: Decoding, beginning: list[int], before: list[int], config: TranscriptionConfig, start: int
    ) -> Decoded:
        """The first result that is likely and does not repeat itself."""
        room = self._steps.capacity // 2 - 1
        prompt = [self._tokens.previous, *before[-room:], *beginning] if before else beginning
        results: list[Decoded] = []
        for number, temperature in enumerate(config.temperatures):
            random = np.random.default_rng([config.seed, start, number])
            found = decode(prompt, len(prompt) - len(beginning), temperature, random)
            results.append(found)
            is_likely = found.mean_logprob >= config.logprob_threshold
            is_silent = found.no_speech > config.no_speech_threshold and not is_likely
            if is_silent or (is_likely and self._repetition(found.tokens) <= config.compression_ratio_threshold):
                return found
        return results[-1]

    def _repetition(self, tokens: Sequence[int]) -> float:
        """How much shorter zlib makes the text."""
        text = self._text(tokens).strip().encode()
        return len(text) / len(zlib.compress(text))

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode([token for token in tokens if token < self._tokens.end]))

    def _cut(self, decoded: Decoded, start: int, length: int) -> tuple[list[Segment], int]:
        """(the segments between times, how many samples further the next window begins)."""
        tokens, times = decoded.tokens, self._tokens.times
        is_time = [token >= times for token in tokens]
        pairs = [i for i in range(1, len(tokens)) if is_time[i] and is_time[i - 1]]
        ends_in_one = is_time[-2:] == [False, True]
        if pairs:
            cuts = [0, *pairs, *([len(tokens)] if ends_in_one else [])]
            parts = [tokens[a:b] for a, b in pairwise(cuts)]
            segments = [
                self._segment(decoded, start, (part[0] - times) * STEP, (part[-1] - times) * STEP, part)
                for part in parts
            ]
            return segments, length if ends_in_one else (tokens[cuts[-1] - 1] - times) * STEP
        said = [token for token in tokens if token > times]
        end = (said[-1] - times) * STEP if said else length
        return [self._segment(decoded, start, 0, end, tokens)], length

    def _segment(self, decoded: Decoded, start: int, begin: int, end: int, tokens: list[int]) -> Segment:
        return Segment(
            (start + begin) / RATE, (start + end) / RATE, self._text(tokens), tokens, decoded.mean_logprob,
            decoded.no_speech, decoded.temperature,
        )  # fmt: skip
