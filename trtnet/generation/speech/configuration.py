"""How speech becomes text: names and defaults are those of openai-whisper's transcribe."""

from __future__ import annotations

from dataclasses import dataclass

from trtnet.support.configuration.ranges import check_ranges


@dataclass(frozen=True)
class TranscriptionConfig:
    """How tokens are chosen, and which results are tried again.

    language: a code such as "en"; None lets a multilingual model say it, by the first 30 seconds. task: "transcribe",
    or "translate" to English. beam_size: texts that are followed at the same time; 1 takes the most likely token each
    time. best_of: texts that are sampled at a temperature above 0. temperatures: tried in turn, until a text neither
    repeats itself (compression_ratio_threshold, of its bytes and their zlib) nor is unlikely (logprob_threshold, the
    mean logarithm of the probabilities of its tokens). no_speech_threshold: a window that is silence with at least this
    probability, and whose text is unlikely, has no text. condition_on_previous_text: the text before is the prompt of
    the next window. timestamps: times of segments; without, a window is one segment. seed: of the sampling.
    Raises InputError for a value out of range.
    """

    language: str | None = None
    task: str = "transcribe"
    beam_size: int = 1
    best_of: int = 5
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio_threshold: float = 2.4
    logprob_threshold: float = -1.0
    no_speech_threshold: float = 0.6
    condition_on_previous_text: bool = True
    timestamps: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = bool(self.temperatures) and all(t >= 0 for t in self.temperatures)
        ranges = {
            "task": (self.task in ("transcribe", "translate"), "'transcribe' or 'translate'"),
            "temperatures": (numbers, "at least one number, each at least 0"),
        }
        check_ranges(self, ranges, beam_size=1, best_of=1, seed=0)


GREEDY = TranscriptionConfig()
"""The most likely token each time, as long as the text is likely and does not repeat itself."""
