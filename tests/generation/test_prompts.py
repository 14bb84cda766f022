"""How prompts are cut into steps, and steps of one length: TensorRT knows all sizes of theirs."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.generating import PROMPTS, fixed, generator

from trtnet import GenerationConfig, InputError
from trtnet.generation import SINGLE, Generator
from trtnet.generation.prompts import Parts

LONG = [[(7 * i) % 40 for i in range(length)] for length in (48, 9, 44, 1)]


@pytest.mark.parametrize(
    ("parts", "widths"),
    [
        (Parts(5, 48), {5, 3}),
        (Parts(5, 48, 5), {5}),
        (Parts(32, 48, pads=True), {32, 16}),
        (Parts(20, 48, pads=True), {20, 8}),
    ],
    ids=str,
)
def test_each_token_is_in_the_caches_and_each_prompt_ends_once(parts: Parts, widths: set[int]) -> None:
    held, ends = np.full((4, 48), -1), [0] * 4
    for part in parts.of(LONG):
        length = part.ids.shape[1]
        assert part.at + length <= 48 and length in widths
        held[:, part.at : part.at + length] = part.ids
        for row in np.flatnonzero(part.ends):
            ends[row] += 1
            assert part.at + part.places[row, 0] == len(LONG[row]) - 1
    assert ends == [1] * 4
    assert all(row[: len(prompt)].tolist() == prompt for row, prompt in zip(held, LONG, strict=True))


@pytest.mark.parametrize("length", [5, 16, 48])
def test_a_step_of_a_fixed_length_gives_the_tokens_of_any(length: int) -> None:
    made = Generator(fixed(4, **SINGLE).reference(), prompts=fixed(4, length=length, count=1).reference(), chunk=9)
    for prompts, config in ((PROMPTS, GenerationConfig(8)), (LONG, GenerationConfig(4, temperature=0.9, seed=3))):
        assert made(prompts, config) == generator()([*prompts, *[[1]] * (4 - len(prompts))], config)[: len(prompts)]


def test_a_step_of_a_fixed_length_has_no_guesses() -> None:
    made = Generator(fixed(1, **SINGLE).reference(), prompts=fixed(1, length=8, count=1).reference())
    with pytest.raises(InputError, match=r"the step takes 8 tokens or one: guesses .* need one of any length"):
        made([[1, 2]], GenerationConfig(4, prompt_lookup_num_tokens=2))
    with pytest.raises(InputError, match="the step takes 64 tokens, its caches hold 48"):
        Generator(fixed(1, **SINGLE).reference(), prompts=fixed(1, length=64, count=1).reference())
