"""Text on a real GPU: caches in place, and the tokens of the reference; tests/conftest.py skips them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from helpers.choosing import choice, chosen, probabilities, pvalue
from helpers.generating import PROMPTS, REPETITIVE, fixed, generator, network

from trtnet import Engine, GenerationConfig
from trtnet.generation import SINGLE, Generator, profiles
from trtnet.support import backend

pytestmark = pytest.mark.gpu
CONFIGS = {
    "greedy": GenerationConfig(20),
    "guessed": GenerationConfig(20, prompt_lookup_num_tokens=3),
    "sampled": GenerationConfig(20, temperature=0.5, top_p=0.9, seed=2),
    "top k": GenerationConfig(20, temperature=0.7, top_k=9, min_p=0.05, seed=3),
    "penalized": GenerationConfig(20, temperature=0.5, repetition_penalty=1.3, seed=4),
    "guessed, penalized": GenerationConfig(
        20, temperature=0.3, repetition_penalty=1.1, seed=5, prompt_lookup_num_tokens=3
    ),
}


RIGHT, WRONG = 128, 96
"""Widths of perceptrons: TensorRT-RTX 1.6.1 computes the second wrong for eight rows (docs/status.md)."""


@cache
def engine(width: int = RIGHT) -> Engine:
    return network(scale=REPETITIVE, width=width).build(profiles(batch=4, chunk=8, drafted=3))


@cache
def engines(batch: int, length: int = 0) -> tuple[Engine, Engine]:
    """For single tokens, and for prompts: in steps of any length, or of one."""
    if length:
        prompts = fixed(batch, scale=REPETITIVE, width=RIGHT, length=length, count=1).build()
    else:
        prompts = fixed(batch, scale=REPETITIVE, width=RIGHT).build(profiles(batch, 8, 3, fixed=True))
    return fixed(batch, scale=REPETITIVE, width=RIGHT, **SINGLE).build(), prompts


def check(made: Any, name: str, width: int, batches: Any) -> None:
    for prompts in batches:
        found = [completion.tokens for completion in made(prompts, CONFIGS[name])]
        assert found == [each.tokens for each in generator(scale=REPETITIVE, width=width)(prompts, CONFIGS[name])]


@pytest.mark.parametrize("device", ["cuda", None], ids=["in place", "numpy"])
@pytest.mark.parametrize("name", CONFIGS)
def test_an_engine_gives_the_tokens_of_the_reference(name: str, device: str | None) -> None:
    check(Generator(engine(), device=device, chunk=8), name, RIGHT, (PROMPTS, PROMPTS[1:]))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", CONFIGS)
def test_two_engines_of_a_fixed_batch_give_the_tokens_of_the_reference(name: str, batch: int) -> None:
    single, prompts = engines(batch)
    made = Generator(single, prompts=prompts, device="cuda", chunk=8)
    check(made, name, RIGHT, [[prompt] for prompt in PROMPTS] if batch == 1 else (PROMPTS, PROMPTS[1:]))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", [name for name, config in CONFIGS.items() if not config.prompt_lookup_num_tokens])
def test_prompts_in_steps_of_one_length_give_the_tokens_of_the_reference(name: str, batch: int) -> None:
    single, prompts = engines(batch, 16)
    made = Generator(single, prompts=prompts, device="cuda")
    check(made, name, RIGHT, [[prompt] for prompt in PROMPTS] if batch == 1 else (PROMPTS, PROMPTS[1:]))


@pytest.mark.xfail(backend.name() == "tensorrt_rtx", reason="eight rows of this perceptron are wrong", strict=False)
def test_eight_rows_of_a_narrow_perceptron() -> None:
    check(Generator(engine(WRONG), chunk=8), "greedy", WRONG, (PROMPTS, PROMPTS[1:]))


@pytest.mark.parametrize("vocabulary", [700, 50_257])
@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(temperature=0.9),
        GenerationConfig(temperature=1.3, top_k=40),
        GenerationConfig(temperature=1.0, top_p=0.6),
        GenerationConfig(temperature=1.2, top_k=200, top_p=0.9, min_p=0.01, repetition_penalty=1.3),
    ],
    ids=["temperature", "top k", "top p", "all"],
)
def test_choices_of_an_engine_pass_a_chi_square_test(config: GenerationConfig, vocabulary: int) -> None:
    logits, draws = np.random.default_rng(0).normal(size=vocabulary).astype(np.float32) * 3, 20_000
    uniform, made = np.random.default_rng(1).random((draws, 2)), choosing(vocabulary)
    parts = [chosen(logits, [3, 5], config, part, made) for part in np.split(uniform, 10)]
    found = np.concatenate(parts)
    exact = probabilities(logits, [3, 5], config)
    assert (exact[found] > 0).all()
    assert pvalue(np.bincount(found, minlength=vocabulary), exact) > 1e-3
    # the same random numbers fall on the same tokens, but where they lie at the end of one
    assert (found == chosen(logits, [3, 5], config, uniform)).mean() > 0.995
    assert (chosen(logits, [3, 5], GenerationConfig(), uniform[:9], made) == logits.argmax()).all()


@cache
def choosing(vocabulary: int) -> Engine:
    return choice(vocabulary).build({"before": (1, 2, 8), "draws": (1, 2000, 2000)})


def test_ten_thousand_tokens_take_no_more_memory() -> None:
    made, config = Generator(engine(), device="cuda", chunk=8), GenerationConfig(40, temperature=0.8, top_p=0.9)
    made(PROMPTS, config)
    torch.cuda.synchronize()
    before, free = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()[0]
    for _ in range(90):
        made(PROMPTS, config)
    assert torch.cuda.memory_allocated() == before
    assert free - torch.cuda.mem_get_info()[0] <= 1 << 20, "the device's memory grew by more than a MiB"
