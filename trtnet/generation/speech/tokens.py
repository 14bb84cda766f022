"""The tokens of a Whisper that are no words: what begins a text, what ends it, and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.generation.speech.configuration import TranscriptionConfig
from trtnet.support.errors import CheckpointError, InputError

Array = np.ndarray[Any, Any]
_LATEST_BEGIN = 50
"""The latest time that a window's text begins at, in steps of 20 ms."""
_MULTILINGUAL = 51865
"""The fewest tokens of a model of many languages."""
_SYMBOLS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *[
        "<<",
        ">>",
        "<<<",
        ">>>",
        "--",
        "---",
        "-(",
        "-[",
        "('",
        '("',
        "((",
        "))",
        "(((",
        ")))",
        "[[",
        "]]",
        "{{",
        "}}",
        "♪♪",
        "♪♪♪",
    ],
)
_NOTES = (*"♩♪♫♬♭♮♯",)


@dataclass(frozen=True)
class SpeechTokens:
    """The numbers of the special tokens.

    times: the first of the 1,501 times, 0.02 seconds apart; words have numbers below `end`. languages: by code; empty
    for a model of English alone. suppressed: tokens that are no speech. suppressed_first: those that no text begins
    with.
    """

    end: int
    begin: int
    previous: int
    no_speech: int
    no_times: int
    tasks: dict[str, int]
    languages: dict[str, int]
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]

    @property
    def times(self) -> int:
        return self.no_times + 1

    def prompt(self, config: TranscriptionConfig, language: str) -> list[int]:
        """The tokens that a text begins with. Raises InputError for a language or task that the model does not have."""
        if not self.languages:
            if config.task != "transcribe" or language != "en":
                raise InputError("this model is of English alone: it neither translates nor knows another language")
            found = [self.begin]
        elif language not in self.languages:
            raise InputError(f"the model does not know the language {language!r}; it knows {', '.join(self.languages)}")
        else:
            found = [self.begin, self.languages[language], self.tasks[config.task]]
        return found if config.timestamps else [*found, self.no_times]

    def forbid(self, scores: Array, before: Sequence[int], timestamps: bool) -> None:
        """Sets the scores of tokens that may not come next to -inf, as openai-whisper does.

        scores: [vocabulary], floating, changed. before: the tokens of the text so far, without its prompt.
        """
        scores[list(self.suppressed)] = -np.inf
        if not before:
            scores[list(self.suppressed_first)] = -np.inf
        if timestamps:
            self._forbid_times(scores, before)

    def _forbid_times(self, scores: Array, before: Sequence[int]) -> None:
        """Times come in pairs, but the first and the last; they do not decrease, and a segment is not empty."""
        times = self.times
        scores[self.no_times] = -np.inf
        if before and before[-1] >= times:
            paired = len(before) < 2 or before[-2] >= times
            if paired:
                scores[times:] = -np.inf
            else:
                scores[: self.end] = -np.inf
        said = [token for token in before if token >= times]
        if said:
            in_pair = before[-1] >= times and not (len(before) < 2 or before[-2] >= times)
            scores[times : said[-1] + (not in_pair)] = -np.inf
        if not before:
            scores[:times] = -np.inf
            scores[times + _LATEST_BEGIN + 1 :] = -np.inf
        time, word = np.logaddexp.reduce(scores[times:].astype(np.float64)), scores[:times].max()
        if time > word:
            scores[:times] = -np.inf


def speech_tokens(tokenizer: Any, vocabulary: int, settings: Mapping[str, Any]) -> SpeechTokens:
    """The special tokens of a tokenizer of the package tokenizers.

    vocabulary: the number of tokens of the model, by which those of English alone are known where the settings do not
    say it. settings: of Hugging Face's generation_config.json or CTranslate2's config.json; suppressed tokens that they
    do not name are those of openai-whisper.
    Raises CheckpointError for a tokenizer without them.
    """
    known = tokenizer.get_vocab()

    def of(*names: str) -> int:
        numbers = [known[f"<|{name}|>"] for name in names if f"<|{name}|>" in known]
        if not numbers:
            raise CheckpointError(f"the tokenizer has no token <|{names[0]}|>: it is not a Whisper's")
        return int(numbers[0])

    end, begin = of("endoftext"), of("startoftranscript")
    tasks = {name: of(name) for name in ("transcribe", "translate")}
    is_multilingual = settings.get("is_multilingual", vocabulary >= _MULTILINGUAL)
    languages = {
        name[2:-2]: number
        for name, number in sorted(known.items(), key=lambda item: item[1])
        if is_multilingual and begin < number < min(tasks.values()) and name.startswith("<|")
    }
    previous, no_speech = of("startofprev"), of("nospeech", "nocaptions")
    suppressed = {begin, previous, no_speech, *tasks.values(), known.get("<|startoflm|>", begin)}
    suppressed |= {*_said(settings, "suppress_ids", "suppress_tokens", lambda: _unspoken(tokenizer))}
    first = _said(settings, "suppress_ids_begin", "begin_suppress_tokens", lambda: [*_numbers(tokenizer, " "), end])
    return SpeechTokens(
        end, begin, previous, no_speech, of("notimestamps"), tasks, languages, tuple(sorted(suppressed)), tuple(first)
    )


def _said(settings: Mapping[str, Any], name: str, other: str, default: Callable[[], list[int]]) -> list[int]:
    found = settings.get(name, settings.get(other))
    return default() if found is None else found


def _unspoken(tokenizer: Any) -> list[int]:
    """Tokens of what is written and not spoken: openai-whisper's list. Notes are known by their first token."""
    texts = [*_SYMBOLS, *_NOTES]
    encoded = [(text, _numbers(tokenizer, space + text)) for text in texts for space in ("", " ")]
    kept = [numbers[0] for text, numbers in encoded if len(numbers) == 1 or text in _NOTES]
    return [*kept, *(_numbers(tokenizer, text)[0] for text in (" -", " '"))]


def _numbers(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)
