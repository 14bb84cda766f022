"""The choice of a token from its logits, in the order of transformers: penalty, temperature, top k, top p, min p."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.generation.configuration import GenerationConfig

Array = np.ndarray[Any, Any]


def choose(logits: Array, before: Sequence[int], config: GenerationConfig, uniform: float) -> int:
    """The token that a random number in [0, 1) falls on; the most likely one if the temperature is 0.

    logits: [vocabulary], floating. before: the tokens of the prompt and those generated.
    """
    if config.temperature == 0:
        return int(np.argmax(_penalized(logits, before, config.repetition_penalty)))
    total = np.cumsum(probabilities(logits, before, config))
    return int(np.searchsorted(total, uniform * total[-1], side="right"))


def probabilities(logits: Array, before: Sequence[int], config: GenerationConfig) -> Array:
    """The distribution that tokens are chosen from, [vocabulary] float64: of a temperature above 0."""
    scores = _penalized(logits, before, config.repetition_penalty) / config.temperature
    if 0 < config.top_k < scores.size:
        scores[scores < np.partition(scores, -config.top_k)[-config.top_k]] = -np.inf
    found = np.exp(scores - scores.max())
    found /= found.sum()
    if config.top_p < 1:
        order = np.argsort(-found, kind="stable")
        more_likely = np.cumsum(found[order]) - found[order]
        found[order[more_likely >= config.top_p]] = 0
    found[found < config.min_p * found.max()] = 0
    return found / found.sum()


def _penalized(logits: Array, before: Sequence[int], penalty: float) -> Array:
    scores = logits.astype(np.float64)
    if penalty != 1:
        seen = np.unique(np.asarray(before, np.int64))
        scores[seen] = np.where(scores[seen] < 0, scores[seen] * penalty, scores[seen] / penalty)
    return scores
