"""Tokens are chosen from exactly the distribution that transformers' processors make of the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.generating import PROMPTS, generator, original
from scipy import stats

from trtnet import GenerationConfig
from trtnet.generation.sampling import choose, probabilities

BEFORE = [3, 5, 5, 40]
CONFIGS = {
    "temperature": GenerationConfig(temperature=0.7),
    "top k": GenerationConfig(temperature=1.3, top_k=7),
    "top p": GenerationConfig(temperature=1.0, top_p=0.6),
    "min p": GenerationConfig(temperature=1.5, min_p=0.2),
    "penalty": GenerationConfig(temperature=1.0, repetition_penalty=1.8),
    "all of them": GenerationConfig(temperature=1.2, top_k=20, top_p=0.9, min_p=0.05, repetition_penalty=1.3),
}


def processed(logits: torch.Tensor, config: GenerationConfig) -> torch.Tensor:
    """transformers' own processors, in their order."""
    originals.import_torchvision()
    import transformers as library

    given: list[tuple[bool, Any, Any]] = [
        (config.repetition_penalty != 1, library.RepetitionPenaltyLogitsProcessor, config.repetition_penalty),
        (config.temperature != 1, library.TemperatureLogitsWarper, config.temperature),
        (config.top_k > 0, library.TopKLogitsWarper, config.top_k),
        (config.top_p < 1, library.TopPLogitsWarper, config.top_p),
        (config.min_p > 0, library.MinPLogitsWarper, config.min_p),
    ]
    scores = logits[None]
    for wanted, kind, value in given:
        scores = kind(value)(torch.tensor([BEFORE]), scores) if wanted else scores
    return scores.softmax(-1)[0]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_distribution_is_that_of_transformers(name: str) -> None:
    for seed in range(5):
        logits = torch.randn(60, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2
        wanted = processed(logits, CONFIGS[name]).numpy()
        found = probabilities(logits.numpy(), BEFORE, CONFIGS[name])
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        assert ((found > 0) == (wanted > 0)).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_choices_pass_a_chi_square_test(name: str) -> None:
    logits, config = np.random.default_rng(0).normal(size=30) * 1.5, CONFIGS[name]
    exact, draws = probabilities(logits, [3, 5], config), 20_000
    uniform = np.random.default_rng(1).random(draws)
    chosen = [choose(logits, [3, 5], config, u) for u in uniform[:500]]
    assert max(chosen) < 30
    counts = np.bincount([choose(logits, [3, 5], config, u) for u in uniform], minlength=30)
    assert counts[exact == 0].sum() == 0
    kept = exact > 0
    assert stats.chisquare(counts[kept], exact[kept] * draws).pvalue > 1e-3
    # the test is one that another distribution fails
    other = np.where(kept, 1 / kept.sum(), 0)
    assert stats.chisquare(counts[kept], other[kept] * draws).pvalue < 1e-6


def test_generated_tokens_have_the_models_distribution() -> None:
    config = GenerationConfig(max_new_tokens=1, temperature=1.0, top_k=8)
    rows = 400
    counts = np.zeros(99)
    for seed in range(2):
        sampled = GenerationConfig(**{**config.__dict__, "seed": seed})
        for completion in generator()([PROMPTS[1]] * rows, sampled):
            counts[completion.tokens[0]] += 1
    with torch.inference_mode():
        logits = original()(torch.tensor([PROMPTS[1]])).logits[0, -1].double().numpy()
    exact = probabilities(logits, PROMPTS[1], config)
    assert counts[exact == 0].sum() == 0
    kept = exact * 2 * rows > 5
    expected = exact[kept] * counts[kept].sum() / exact[kept].sum()
    assert kept.sum() > 2
    assert stats.chisquare(counts[kept], expected).pvalue > 1e-3


def test_a_random_number_below_one_falls_on_a_token() -> None:
    logits = np.array([0.0, -np.inf, 1.0, -np.inf])
    config = GenerationConfig(temperature=1.0)
    assert choose(logits, [], config, np.nextafter(1, 0)) == 2
    assert choose(logits, [], config, 0.0) == 0
    assert choose(logits, [], GenerationConfig(), 0.99) == 2
