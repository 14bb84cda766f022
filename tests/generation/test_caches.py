"""Caches that a step writes in place: as an engine on a GPU does it, here with torch tensors on the CPU."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import pytest
from helpers.generating import PROMPTS, REPETITIVE, RESTLESS, fixed, generator, quantized, reference

from trtnet import GenerationConfig
from trtnet.generation import SINGLE, Generator
from trtnet.generation.caches import DeviceCaches


class InPlace:
    """What an engine is to a generator: the results go where `out` says, each in its own place at each width."""

    def __init__(self, scale: float, capacity: int = 48, step: Any = None, in_place: bool = True) -> None:
        self._reference, self._in_place = step or reference(capacity, scale), in_place
        self.inputs, self.states = self._reference.inputs, self._reference.states
        self.calls: list[tuple[int, ...]] = []

    def session(self) -> Any:
        return self.run

    def run(self, out: dict[str, Any], **inputs: Any) -> None:
        given = {**inputs, **out}
        self.calls.append(tuple(tensor.data_ptr() for tensor in given.values()))
        for name, value in self._reference(**inputs).items():
            if name.startswith("new_"):
                is_same = out[name] is inputs[name.removeprefix("new_")]
                assert is_same == (self._in_place or name == "new_history")
            out[name].copy_(value)


@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(8),
        GenerationConfig(8, temperature=0.8, top_k=20, seed=4),
        GenerationConfig(8, temperature=0.8, repetition_penalty=1.2, seed=1, prompt_lookup_num_tokens=3),
    ],
    ids=["greedy", "sampled", "guessed"],
)
def test_caches_in_place_give_the_tokens_of_those_on_the_host(config: GenerationConfig) -> None:
    made = Generator(InPlace(REPETITIVE), device="cpu", chunk=5)
    other = replace(config, seed=9, temperature=config.temperature * 2)
    for prompts, given in ((PROMPTS, config), (PROMPTS[:2], config), (PROMPTS[:2], other)):
        # what another batch left in a cache is not read
        found = [completion.tokens for completion in made(prompts, given)]
        assert found == [each.tokens for each in generator(scale=REPETITIVE, chunk=5)(prompts, given)]


def test_steps_for_single_tokens_and_for_several_write_the_same_caches() -> None:
    single, several = (
        InPlace(REPETITIVE, step=fixed(3, REPETITIVE, **sizes).reference()) for sizes in (SINGLE, dict[str, int]())
    )
    made = Generator(single, prompts=several, device="cpu", chunk=5)
    for config, steps in ((GenerationConfig(8), 8), (GenerationConfig(8, prompt_lookup_num_tokens=3), 0)):
        single.calls.clear()
        found = made(PROMPTS, config)
        assert [each.tokens for each in found] == [each.tokens for each in generator(scale=REPETITIVE)(PROMPTS, config)]
        assert len(single.calls) == steps


def test_every_step_of_a_width_is_the_same_call() -> None:
    step = InPlace(REPETITIVE)
    Generator(step, device="cpu")(PROMPTS, GenerationConfig(10))
    assert len(step.calls) == 11  # the prompt, nine tokens, and the step that was queued before the last was read
    assert len(set(step.calls[1:])) == 1


@pytest.mark.parametrize("scheme", [{"scheme": "int8_cache", "scale": 0.02}, "fp8_cache"], ids=["int8", "fp8"])
def test_caches_in_8_bits_take_turns_and_are_nearly_as_good(scheme: Any) -> None:
    said = {"key_*": scheme, "value_*": scheme}
    step = quantized(said, scale=REPETITIVE).reference()
    held = {each.name: each.dtype for each in step.inputs if each.name.startswith(("key_", "value_"))}
    assert set(held.values()) == {"int8" if scheme != "fp8_cache" else "float8_e4m3fn"} and len(held) == 4
    apart = InPlace(REPETITIVE, step=step, in_place=False)
    config = GenerationConfig(12)
    on_host = [each.tokens for each in Generator(step)(PROMPTS, config)]
    assert [each.tokens for each in Generator(apart, device="cpu")(PROMPTS, config)] == on_host
    assert len(set(apart.calls[1:])) == 2
    floats = [each.tokens for each in generator(scale=REPETITIVE)(PROMPTS, config)]
    pairs = [pair for one, other in zip(on_host, floats, strict=True) for pair in zip(one, other, strict=True)]
    assert sum(a == b for a, b in pairs) >= 0.75 * len(pairs)


def test_a_pattern_of_caches_is_not_of_the_cache_of_tokens() -> None:
    held = quantized({"*": "fp8_cache"}).describe().quantization
    assert sorted(held) == ["key_0", "key_1", "value_0", "value_1"]


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_text_that_overflowed_leaves_nothing_in_the_next(device: str | None) -> None:
    made = generator() if device is None else Generator(InPlace(RESTLESS), device=device)
    wanted = made(PROMPTS, GenerationConfig(4))
    assert made._caches is not None
    for name, cache in made._caches._states._values.items():
        if name.startswith(("key_", "value_")):
            cache[...] = float("nan")
    assert made(PROMPTS, GenerationConfig(4)) == wanted


def test_caches_of_another_size_are_given_back_before_there_are_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    made, alive = Generator(InPlace(RESTLESS), device="cpu"), weakref.WeakSet[DeviceCaches]()
    kept: list[int] = []

    def new(*arguments: Any) -> DeviceCaches:
        kept.append(len(alive))
        alive.add(caches := DeviceCaches(*arguments))
        return caches

    monkeypatch.setattr("trtnet.generation.generator.DeviceCaches", new)
    for prompts in (PROMPTS, PROMPTS[:1], PROMPTS[:1], PROMPTS):
        made(prompts, GenerationConfig(2))
    assert kept == [0, 0, 0]


def test_sequences_that_end_on_the_way_and_those_that_fill_the_caches() -> None:
    whole = [each.tokens for each in generator(16)(PROMPTS, GenerationConfig(100))]
    ends = [whole[0][3], whole[2][1]]
    for eos in ([], ends):
        wanted = generator(16, eos_token_id=eos)(PROMPTS, GenerationConfig(100))
        step = InPlace(RESTLESS, 16)
        made = Generator(step, device="cpu", eos_token_id=eos)
        for _ in range(2):
            assert made(PROMPTS, GenerationConfig(100)) == wanted
    assert [each.finish_reason for each in wanted][0::2] == ["stop", "stop"]
    assert len({len(each.tokens) for each in wanted}) == 3


def test_prompts_on_a_gpu_have_few_lengths() -> None:
    """TensorRT-RTX compiles kernels for each length that it sees."""
    lengths: list[int] = []

    class Seen(InPlace):
        def run(self, out: dict[str, Any], **inputs: Any) -> None:
            lengths.append(inputs["input_ids"].shape[1])
            super().run(out, **inputs)

    made = Generator(Seen(RESTLESS), device="cpu", chunk=32)
    for length in (1, 2, 7, 9, 17, 33, 47, 48):
        prompt = [(7 * i) % 40 for i in range(length)]
        lengths.clear()
        found = made([prompt], GenerationConfig(1))[0].tokens
        assert found == generator()([prompt], GenerationConfig(1))[0].tokens
        assert set(lengths) <= {1, 8, 16, 32} and sum(lengths) >= length
