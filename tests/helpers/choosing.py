"""The choice of tokens as a network by itself, and the exact distribution that it has."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import stats

import trtnet
from trtnet import GenerationConfig, nn
from trtnet.generation.configuration import CONTROLS
from trtnet.ops.transformers.sampling import penalized, sample

Array = np.ndarray[Any, Any]


class Choice(nn.Module):
    """One distribution for a number of draws. logits: [1, 1, vocabulary] float32."""

    def __init__(self, vocabulary: int) -> None:
        self.inputs = {
            "logits": trtnet.Input((1, 1, vocabulary)),
            "before": trtnet.Input((1, 1, "before"), "int64"),
            "uniform": trtnet.Input((1, "draws", 2)),
            **{name: trtnet.Input((1,)) for name in CONTROLS},
        }

    def forward(self, **given: Any) -> Any:
        controls = {name: given[name] for name in CONTROLS}
        logits = penalized(given["logits"], given["before"], controls.pop("repetition_penalty"))
        return sample(logits, given["uniform"], **controls)


@cache
def choice(vocabulary: int) -> Any:
    return trtnet.define(Choice(vocabulary))


@cache
def _reference(vocabulary: int) -> Any:
    return choice(vocabulary).reference()


def chosen(logits: Array, before: list[int], config: GenerationConfig, uniform: Array, call: Any = None) -> Array:
    """The tokens of draws [any, 2] for logits [vocabulary], by the reference of the network or by its engine."""
    controls = {name: np.array([getattr(config, name)], np.float32) for name in CONTROLS}
    given = {"logits": logits.astype(np.float32)[None, None], "before": np.array([[before]], np.int64)}
    found = (call or _reference(logits.size))(**given, uniform=uniform.astype(np.float32)[None], **controls)
    return np.asarray(found)[0]


def pvalue(counts: Array, exact: Array) -> float:
    """Of a chi-square test, with the tokens that are expected less than five times as one."""
    expected = exact * counts.sum()
    often = expected >= 5
    found = np.array([*counts[often], counts[~often].sum()])
    wanted = np.array([*expected[often], expected[~often].sum()])
    kept = wanted > 1
    return float(stats.chisquare(found[kept], wanted[kept] * found[kept].sum() / wanted[kept].sum()).pvalue)


def probabilities(logits: Array, before: list[int], config: GenerationConfig) -> Array:
    """The exact distribution of a temperature above 0, [vocabulary] float64, in transformers' order."""
    scores = logits.astype(np.float64)
    seen = np.unique(np.asarray(before, np.int64))
    penalty = config.repetition_penalty
    scores[seen] = np.where(scores[seen] < 0, scores[seen] * penalty, scores[seen] / penalty)
    scores /= config.temperature
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
