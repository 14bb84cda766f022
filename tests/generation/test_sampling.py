"""Tokens are chosen in the network from exactly the distribution that transformers' processors make of the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals
from helpers.choosing import chosen, probabilities, pvalue
from helpers.generating import PROMPTS, generator, original

from trtnet import GenerationConfig

BEFORE = [3, 5, 5, 40]
CONFIGS = {
    "temperature": GenerationConfig(temperature=0.7),
    "top k": GenerationConfig(temperature=1.3, top_k=7),
    "top p": GenerationConfig(temperature=1.0, top_p=0.6),
    "min p": GenerationConfig(temperature=1.5, min_p=0.2),
    "penalty": GenerationConfig(temperature=1.0, repetition_penalty=1.8),
    "all of them": GenerationConfig(temperature=1.2, top_k=20, top_p=0.9, min_p=0.05, repetition_penalty=1.3),
}
WIDE = 700
"""A vocabulary of three chunks, the last one filled up."""


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
    """Numbers that lie evenly in [0, 1) fall on each token as often as it is likely, but for one at each end."""
    draws = 5000
    even = np.stack([np.zeros(draws), (np.arange(draws) + 0.5) / draws], -1)
    for seed in range(5):
        logits = torch.randn(60, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2
        wanted = processed(logits, CONFIGS[name]).numpy()
        np.testing.assert_allclose(probabilities(logits.numpy(), BEFORE, CONFIGS[name]), wanted, atol=1e-12)
        counts = np.bincount(chosen(logits.numpy(), BEFORE, CONFIGS[name], even), minlength=60)
        np.testing.assert_allclose(counts, wanted * draws, atol=1.01)
        assert (counts[wanted == 0] == 0).all()


@pytest.mark.parametrize("size", [30, WIDE])
@pytest.mark.parametrize("name", CONFIGS)
def test_choices_pass_a_chi_square_test(name: str, size: int) -> None:
    logits, config = np.random.default_rng(0).normal(size=size).astype(np.float32) * 1.5, CONFIGS[name]
    exact, draws = probabilities(logits, [3, 5], config), 20_000
    counts = np.bincount(chosen(logits, [3, 5], config, np.random.default_rng(1).random((draws, 2))), minlength=size)
    assert counts[exact == 0].sum() == 0
    kept = exact > 0
    assert pvalue(counts, exact) > 1e-3
    # the test is one that another distribution fails
    assert pvalue(counts, np.where(kept, 1 / kept.sum(), 0)) < 1e-6


@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(temperature=1.0, top_k=300),
        GenerationConfig(temperature=2.0, top_p=0.95),
        GenerationConfig(temperature=1.0, top_k=10_000, top_p=0.99999),
        GenerationConfig(temperature=0.01, top_k=699),
        GenerationConfig(temperature=1.0, top_k=1),
        GenerationConfig(temperature=1.0, top_p=1e-6),
        GenerationConfig(temperature=1.0, min_p=1.0),
    ],
)
def test_the_tokens_that_are_kept_are_the_exact_ones(config: GenerationConfig) -> None:
    """Random numbers at the ends of every kept token find all of them, and no other."""
    logits = np.random.default_rng(7).normal(size=200).astype(np.float32)
    exact = probabilities(logits, [], config)
    ends = np.cumsum(exact)
    places = np.stack([np.zeros(200), (ends - exact / 2)], -1)[exact > 1e-6]
    found = chosen(logits, [0], config, places)
    assert found.tolist() == np.flatnonzero(exact > 1e-6).tolist()
    spread = chosen(logits, [0], config, np.random.default_rng(0).random((5000, 2)))
    assert (exact[spread] > 0).all()


def test_tokens_that_are_equally_likely_are_kept_together() -> None:
    logits = np.array([2.0, 1.0, 2.0, 2.0, 0.0])
    uniform = np.random.default_rng(0).random((300, 2))
    for config in (GenerationConfig(temperature=1.0, top_k=2), GenerationConfig(temperature=1.0, top_p=0.4)):
        assert set(chosen(logits, [4], config, uniform)) == {0, 2, 3}


def test_a_temperature_of_zero_takes_the_first_of_the_most_likely_tokens() -> None:
    logits = np.random.default_rng(3).normal(size=WIDE).astype(np.float32)
    logits[[650, 300]] = 9
    ends = np.array([[0, 0], [0.5, 0.3], [1 - 2**-24, 1 - 2**-24]])
    assert chosen(logits, [4], GenerationConfig(top_k=5, top_p=0.5, min_p=0.1), ends).tolist() == [300] * 3
    logits[650] = np.nextafter(np.float32(9), np.float32(10))
    assert chosen(logits, [4], GenerationConfig(), ends).tolist() == [650] * 3
    assert chosen(logits, [650], GenerationConfig(repetition_penalty=1.001), ends).tolist() == [300] * 3
    close = np.zeros(30, np.float32)
    close[[11, 20]] = 1e-9, 2e-9  # whose probabilities are equal in float32
    assert chosen(close, [4], GenerationConfig(), ends).tolist() == [20] * 3


def test_a_random_number_below_one_falls_on_a_token() -> None:
    logits = np.array([0.0, -np.inf, 1.0, -np.inf])
    ends = np.array([[1 - 2**-24, 1 - 2**-24], [0, 0]])
    assert chosen(logits, [1], GenerationConfig(temperature=1.0), ends).tolist() == [2, 0]
    wide = np.full(WIDE, -np.inf)
    wide[[10, 290, 300]] = 0.0, 1.0, 2.0
    ends = np.array([[0, 0], [1 - 2**-24, 0], [1 - 2**-24, 1 - 2**-24]])
    assert chosen(wide, [10], GenerationConfig(temperature=1.0), ends).tolist() == [10, 290, 300]


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
    assert (exact * 2 * rows > 5).sum() > 2
    assert pvalue(counts, exact) > 1e-3
