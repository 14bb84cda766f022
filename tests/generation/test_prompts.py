"""How prompts are cut into steps, steps of one length, whose sizes TensorRT knows, and guesses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.generating import PROMPTS, fixed, generator

from trtnet import GenerationConfig, InputError
from trtnet.generation import SINGLE, Generator
from trtnet.generation.sequences import draft
from trtnet.support.call_interface import NamedOutputs, StateInfo, TensorInfo

Array = np.ndarray[Any, Any]
LONG = [[(7 * i) % 40 for i in range(length)] for length in (48, 9, 44, 1)]


class Sums:
    """What a step is to a generator: the next token is a sum of all tokens so far, each by its place."""

    states = [StateInfo("key_0", "new_key_0")]

    def __init__(self, length: int | str) -> None:
        self.inputs = [
            TensorInfo("input_ids", ("batch", length), "int64"), TensorInfo("write_indices", ("batch",), "int32"),
            TensorInfo("places", ("batch", "count"), "int64"), TensorInfo("key_0", ("batch", 1, 48, 1), "float32"),
        ]  # fmt: skip
        self.outputs = [TensorInfo("tokens", ("batch", "count"), "int64"), replace(self.inputs[3], name="new_key_0")]
        self.widths: list[int] = []

    def __call__(self, input_ids: Array, write_indices: Array, places: Array, key_0: Array) -> NamedOutputs:
        length, new = input_ids.shape[1], key_0.copy()
        self.widths.append(length)
        for row, at, ids in zip(new[:, 0, :, 0], write_indices, input_ids, strict=True):
            assert 0 <= at <= 48 - length
            row[at : at + length] = ids
        sums = np.cumsum(new[:, 0, :, 0] * np.arange(1, 49), 1) % 40
        tokens = np.take_along_axis(sums, write_indices[:, None] + places, 1).astype(int)
        return NamedOutputs({"tokens": tokens, "new_key_0": new})


class SumsOfAnEngine(Sums):
    submit = None


def sums(prompt: list[int], count: int) -> list[int]:
    whole = list(prompt)
    while len(whole) < min(len(prompt) + count, 49):
        whole.append(sum(token * (place + 1) for place, token in enumerate(whole)) % 40)
    return whole[len(prompt) :]


@pytest.mark.parametrize(
    ("step", "chunk", "widths"),
    [
        (Sums("length"), 5, [5] * 9 + [3]),
        (Sums(5), 9, [5] * 10),
        (SumsOfAnEngine("length"), 32, [32, 16]),
        (SumsOfAnEngine("length"), 20, [20, 20, 8]),
        (Sums("length"), 1, [1] * 48),
    ],
    ids=["any length", "one length", "an engine", "an engine, and what is left", "single tokens"],
)
def test_each_token_is_in_the_caches_before_what_follows(step: Sums, chunk: int, widths: list[int]) -> None:
    for count in (1, 3, 60):
        step.widths.clear()
        found = Generator(step, chunk=chunk)(LONG, GenerationConfig(count))
        assert [each.tokens for each in found] == [sums(prompt, count) for prompt in LONG]
        assert step.widths[: len(widths)] == widths and {*step.widths[len(widths) :]} <= {1}
        assert [each.steps for each in found] == [len(each.tokens) - 1 for each in found]


def test_a_short_prompt_goes_on_while_a_long_one_is_read() -> None:
    step = Sums("length")
    Generator(step, chunk=5)([LONG[1], LONG[3]], GenerationConfig(4))
    assert step.widths == [5, 4, 1, 1, 1]
    step.widths.clear()
    Generator(step, chunk=5)([LONG[3], LONG[2][:20]], GenerationConfig(1))
    assert step.widths == [5] * 4


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


def test_guesses_are_what_followed_before() -> None:
    assert draft([1, 2, 3, 9, 1, 2, 3], 2) == [9, 1]
    assert draft([7, 2, 3, 5, 1, 2, 3, 8, 2, 3], 1) == [8]  # the latest place of the longest match
    assert draft([5, 6, 5], 3) == [6, 5, 5]  # filled up
    assert draft([1, 2, 3], 2) == [3, 3]
    assert draft([4], 2) == [4, 4]
