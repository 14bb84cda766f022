"""How text is generated: the names are those of transformers' GenerationConfig."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trtnet.support.configuration.ranges import check_ranges
from trtnet.support.errors import InputError


@dataclass(frozen=True)
class GenerationConfig:
    """How tokens are chosen, and when a text ends.

    max_new_tokens: the largest number of generated tokens. temperature: divisor of the logits; 0 takes the most likely
    token. top_k: sample from this many most likely tokens; 0 for all. top_p: from the most likely ones that together
    have this probability. min_p: least probability relative to the most likely token. repetition_penalty: what the
    logits of tokens that came before are divided by, or multiplied if negative. seed: of the random choice; a sequence
    of a batch has the seed and its number. stop_strings: strings that end the text, and are left out of it.
    prompt_lookup_num_tokens: how many tokens are guessed from what came before, and checked in one step; the tokens
    are the same.
    Raises InputError for a value out of range.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    stop_strings: tuple[str, ...] = ()
    prompt_lookup_num_tokens: int = 0

    def __post_init__(self) -> None:
        finite = "and finite in float32"
        ranges = {
            "temperature": (0 <= self.temperature <= _LARGEST, f"at least 0, {finite}"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "at least 0 and at most 1"),
            "repetition_penalty": (1 / _LARGEST < self.repetition_penalty <= _LARGEST, f"above 0, {finite}"),
        }
        check_ranges(self, ranges, max_new_tokens=1, top_k=0, seed=0, prompt_lookup_num_tokens=0)
        stops = self.stop_strings
        are_texts = isinstance(stops, Sequence) and all(isinstance(each, str) and each for each in stops)
        if isinstance(stops, str) or not are_texts:
            raise InputError(f"stop_strings are non-empty strings, found {self.stop_strings!r}")


_LARGEST = 3e38
GREEDY = GenerationConfig()
"""The most likely token each time."""
CONTROLS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
"""The fields that the network gets, a number for each row."""


def controls(configs: Sequence[GenerationConfig], capacity: int) -> dict[str, np.ndarray]:
    """What the network chooses tokens by: the fields that it gets, and random numbers for each place of a row."""
    numbers = {name: np.array([getattr(config, name) for config in configs], np.float32) for name in CONTROLS}
    sources = [np.random.default_rng([config.seed, number]) for number, config in enumerate(configs)]
    return numbers | {"uniform": np.stack([source.random((capacity, 2), np.float32) for source in sources])}
