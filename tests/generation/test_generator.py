"""Generation over the reference: the tokens are transformers', however prompts are batched, cut and guessed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from helpers.generating import PROMPTS, REPETITIVE, Letters, fixed, generator, greedy, network, original, reference

import trtnet
from trtnet import GenerationConfig, InputError, ModelError, models
from trtnet.generation import SINGLE, Generator, Step, profiles
from trtnet.ops.transformers.sampling import sample

SAMPLED = GenerationConfig(max_new_tokens=12, temperature=1.0, top_p=0.95, seed=3)


def tokens(made: Generator, prompts: list[list[int]], config: GenerationConfig) -> list[list[int]]:
    return [completion.tokens for completion in made(prompts, config)]


def test_greedy_tokens_are_those_of_transformers() -> None:
    config = GenerationConfig(max_new_tokens=12)
    found = generator()([PROMPTS[0]], config)[0]
    assert found.tokens == greedy(PROMPTS[0], 12)
    assert (found.finish_reason, found.steps, found.text) == ("length", 11, "")
    assert len(set(found.tokens)) > 3


@pytest.mark.parametrize("config", [GenerationConfig(max_new_tokens=12), SAMPLED], ids=["greedy", "sampled"])
def test_a_batch_of_ragged_prompts_gives_what_each_gives_alone(config: GenerationConfig) -> None:
    together = tokens(generator(), PROMPTS, config)
    if config.temperature == 0:
        assert together == [greedy(prompt, 12) for prompt in PROMPTS]
    # a sequence's random numbers are those of its place
    alone = [tokens(generator(), [prompt] * (i + 1), config)[i] for i, prompt in enumerate(PROMPTS)]
    assert together == alone
    assert together[0] != together[1]


@pytest.mark.parametrize("chunk", [1, 3, 5, 8])
def test_a_prompt_in_chunks_gives_what_it_gives_whole(chunk: int) -> None:
    config = GenerationConfig(max_new_tokens=6)
    assert tokens(generator(chunk=chunk), PROMPTS, config) == [greedy(prompt, 6) for prompt in PROMPTS]


@pytest.mark.parametrize(("temperature", "penalty"), [(0.0, 1.0), (0.3, 1.0), (0.3, 1.01)])
def test_guesses_give_the_same_tokens_in_fewer_steps(temperature: float, penalty: float) -> None:
    made = generator(scale=REPETITIVE)
    plain = made([PROMPTS[0]], GenerationConfig(30, temperature, repetition_penalty=penalty))[0]
    guessing = GenerationConfig(30, temperature, repetition_penalty=penalty, prompt_lookup_num_tokens=4)
    guessed = made([PROMPTS[0]], guessing)[0]
    assert guessed.tokens == plain.tokens
    assert (len(plain.tokens), plain.steps) == (30, 29)
    assert guessed.steps < 25


def test_guesses_in_a_ragged_batch_up_to_the_end_of_the_caches() -> None:
    plain, guessed = GenerationConfig(100), GenerationConfig(100, prompt_lookup_num_tokens=3)
    found, wanted = generator(24)(PROMPTS, guessed), generator(24)(PROMPTS, plain)
    assert [each.tokens for each in found] == [each.tokens for each in wanted]
    assert [len(each.tokens) for each in found] == [24 - len(prompt) + 1 for prompt in PROMPTS]
    assert {each.finish_reason for each in found} == {"length"}


def test_a_text_that_the_caches_cut_says_so(caplog: pytest.LogCaptureFixture) -> None:
    made = generator(16, tokenizer=Letters())
    found = made(PROMPTS, GenerationConfig(9))  # of 8, 2 and 12 tokens
    assert [(len(each.tokens), each.finish_reason, each.is_cut) for each in found] == [
        (9, "length", False), (9, "length", False), (5, "length", True),
    ]  # fmt: skip
    assert "a text ends after 5 tokens of 9 that were asked for: the caches hold 16 tokens" in caplog.text
    caplog.clear()
    assert "".join(made.stream("abcdefghijklmn", GenerationConfig(9)))
    assert "a text ends after 3 tokens of 9" in caplog.text


def test_each_prompt_may_have_a_config_of_its_own() -> None:
    configs = [
        GenerationConfig(8), GenerationConfig(5, temperature=0.9, top_k=30, prompt_lookup_num_tokens=2),
        GenerationConfig(10, temperature=2.0, min_p=0.02, repetition_penalty=1.2, seed=5),
    ]  # fmt: skip
    together = generator()(PROMPTS, configs)
    alike = [generator()(PROMPTS, config) for config in configs]
    assert [each.tokens for each in together] == [alike[i][i].tokens for i in range(3)]
    with pytest.raises(InputError, match="2 configs for 3 prompts: give one, or one for each"):
        generator()(PROMPTS, configs[:2])


def test_the_seed_makes_the_tokens() -> None:
    def sampled(seed: int) -> list[list[int]]:
        return tokens(generator(), [PROMPTS[0], PROMPTS[0]], GenerationConfig(10, 1.5, seed=seed))

    first = sampled(1)
    assert sampled(1) == first
    assert sampled(2) != first
    assert first[0] != first[1]


def test_a_token_ends_a_text_and_is_left_out() -> None:
    whole = greedy(PROMPTS[0], 12)
    end = whole[5]
    place = whole.index(end)
    found = generator(eos_token_id=[end])([PROMPTS[0], PROMPTS[1]], GenerationConfig(12))
    assert (found[0].tokens, found[0].finish_reason) == (whole[:place], "stop")
    assert found[1].tokens == greedy(PROMPTS[1], 12)  # which goes on alone


def test_a_text_ends_at_a_stop_string_and_streams_the_same() -> None:
    made = generator(tokenizer=Letters())
    whole = made(["hello there"], GenerationConfig(20))[0].text
    stop = whole[6:8]
    place = whole.index(stop)
    config = GenerationConfig(20, stop_strings=("~", stop))
    found = made(["hello there"], config)[0]
    assert (found.text, found.finish_reason) == (whole[:place], "stop")
    pieces = list(made.stream("hello there", config))
    assert "".join(pieces) == found.text
    assert "".join(made.stream("hello there", GenerationConfig(20))) == whole
    assert len(pieces) > 1


class WithEnd(Letters):
    """The text <end> is the token 50, which no text shows."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [50] if text == "<end>" else super().encode(text)

    def decode(self, token_ids: list[int], skip_special_tokens: bool = True) -> str:
        return super().decode([token for token in token_ids if token != 50])


def test_a_stop_string_may_be_a_token_that_no_text_shows() -> None:
    prompt, whole = next(
        (prompt, found) for n in range(40) if 50 in (found := greedy(prompt := [n, 3, n, 8], 12))[1:]
    )  # fmt: skip
    for stops, count in ((("~<end>", "<end>"), whole.index(50)), (("~<end>",), 12)):
        found = generator(tokenizer=WithEnd())([prompt], GenerationConfig(12, stop_strings=stops))[0]
        assert found.tokens == whole[:count]
        assert found.finish_reason == ("stop" if count < 12 else "length")


def test_a_stream_does_not_go_on_in_the_caches_of_another_text() -> None:
    made = generator(tokenizer=Letters())
    pieces = made.stream("hello there", GenerationConfig(20))
    next(pieces)
    made(["another"], GenerationConfig(2))
    with pytest.raises(InputError, match="another text was begun with this Generator"):
        list(pieces)


@pytest.mark.parametrize("guesses", [0, 2])
def test_a_repetition_penalty_is_that_of_the_tokens_before(guesses: int) -> None:
    config = GenerationConfig(10, repetition_penalty=1.7, prompt_lookup_num_tokens=guesses)
    found = tokens(generator(chunk=5), PROMPTS, config)
    assert found == [penalized(prompt, 10, 1.7) for prompt in PROMPTS]
    assert found != [greedy(prompt, 10) for prompt in PROMPTS]


def penalized(prompt: list[int], count: int, penalty: float) -> list[int]:
    """What transformers' model says, with the penalty in numpy."""
    whole = list(prompt)
    for _ in range(count):
        with torch.inference_mode():
            logits = original()(torch.tensor([whole])).logits[0, -1].numpy()
        seen = np.unique(whole)
        logits[seen] = np.where(logits[seen] < 0, logits[seen] * penalty, logits[seen] / penalty)
        whole.append(int(logits.argmax()))
    return whole[len(prompt) :]


@pytest.mark.parametrize(
    "config",
    [GenerationConfig(8), SAMPLED, GenerationConfig(8, prompt_lookup_num_tokens=3)],
    ids=["", "sampled", "guessed"],
)
def test_two_steps_of_a_fixed_batch_give_the_tokens_of_one(config: GenerationConfig) -> None:
    made = Generator(fixed(4, **SINGLE).reference(), prompts=fixed(4).reference(), chunk=5)
    for prompts in (PROMPTS, PROMPTS[1:]):  # fewer than there is room for
        assert made(prompts, config) == generator()(prompts, config)
    with pytest.raises(InputError, match="5 prompts: this step was made for 4 sequences at a time"):
        made([[1]] * 5)
    with pytest.raises(InputError, match="this step takes single tokens: give prompts="):
        Generator(fixed(4, **SINGLE).reference())
    with pytest.raises(InputError, match="has other caches"):
        Generator(fixed(4, **SINGLE).reference(), prompts=reference(24))


def test_a_single_row_has_the_forms_for_one() -> None:
    forms = fixed(1, forms={"row": "reduction"}, **SINGLE).build().plan.info.forms
    rows = [path for path, chosen in forms.items() if chosen.get("row") == "reduction"]
    assert len(rows) == 15  # seven of each layer, and the head
    assert fixed(1).build(profiles(1, 8, 3, fixed=True)).plan.info.profiles[0]["input_ids"] == ((1, 2), (1, 8), (1, 8))


def test_an_engine_has_a_profile_for_each_kind_of_step() -> None:
    plan = network().build(profiles(batch=4, chunk=8, drafted=3)).plan
    assert [profile["input_ids"] for profile in plan.info.profiles] == [
        ((1, 2), (4, 8), (4, 8)), ((1, 1), (4, 1), (4, 1)), ((1, 4), (4, 4), (4, 4)),
    ]  # fmt: skip
    for length, count, wanted in ((8, 1, 0), (2, 1, 0), (1, 1, 1), (4, 4, 2)):
        shapes = {"input_ids": (2, length), "places": (2, count)}
        fit = [i for i, profile in enumerate(plan.info.profiles) if all(
            low <= size <= high
            for name, shape in shapes.items()
            for low, size, high in zip(profile[name][0], shape, profile[name][2], strict=True)
        )]  # fmt: skip
        assert fit == [wanted]
    assert [info.name for info in plan.info.outputs][:2] == ["tokens", "new_key_0"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_tokens_are_chosen_in_float32_whatever_the_networks_dtype(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def spy(logits: Any, uniform: Any, **controls: Any) -> Any:
        seen.extend([logits, uniform, *controls.values()])
        return sample(logits, uniform, **controls)

    monkeypatch.setattr("trtnet.generation.step.sample", spy)
    model = models.llama(original().config.to_dict(), capacity=48)
    network = trtnet.define(Step(model), weights=original(), dtype=dtype)
    assert [str(each.dtype) for each in seen] == ["float32"] * 6
    assert str(network.outputs["new_history"].dtype) == "float32" and str(network.outputs["new_key_0"].dtype) == dtype


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="a prompt has 49 tokens, the caches hold 48: shorten it, or define"):
        generator()([[1] * 49])
    with pytest.raises(InputError, match="a prompt has no tokens"):
        generator()([[]])
    with pytest.raises(InputError, match="a prompt has the token -1; the model's are numbers from 0 to 98"):
        generator()([[5, -1]])
    size = original().config.vocab_size
    with pytest.raises(
        InputError, match=f"a prompt has the token {size}; the model's are numbers from 0 to {size - 1}"
    ):
        generator()([[5, size]])
    for prompt in ([1.5], [[1]], 7):
        with pytest.raises(InputError, match="a prompt is a text, or a list of whole numbers"):
            generator()([prompt])  # type: ignore[list-item]
    with pytest.raises(InputError, match="a prompt that is text needs a tokenizer"):
        generator()(["hello"])
    with pytest.raises(InputError, match="pieces of text need a tokenizer"):
        list(generator().stream([1, 2]))
    for chunk in (0, -1):
        with pytest.raises(InputError, match=f"chunk is {chunk}; it is at least 1"):
            generator(chunk=chunk)
    with pytest.raises(InputError, match="prompts are a list, also for a single text"):
        generator(tokenizer=Letters())("hello")
    with pytest.raises(InputError, match="stop_strings need a tokenizer"):
        generator()([[1]], GenerationConfig(stop_strings=("x",)))
    with pytest.raises(ModelError, match="a ReLU is no decoder: a Step takes a model such as"):
        Step(trtnet.nn.ReLU())
    with pytest.raises(InputError, match="a Generator runs the step of a decoder"):
        relu = trtnet.define(trtnet.nn.ReLU(), {"x": trtnet.Input((1,))})
        Generator(relu.reference())
    assert generator()([]) == []


def test_values_out_of_range_are_refused_by_name() -> None:
    for name, value in (("temperature", -1.0), ("top_p", 0.0), ("min_p", 2.0), ("max_new_tokens", 0), ("top_k", -1)):
        with pytest.raises(InputError, match=f"{name} is {value}; it is (at least|above) [01]"):
            GenerationConfig(**{name: value})
    for name in ("max_new_tokens", "top_k", "seed", "prompt_lookup_num_tokens"):
        with pytest.raises(InputError, match=rf"{name} is 2\.5; it is at least [01], a whole number"):
            GenerationConfig(**{name: 2.5})
    for name, value in (("temperature", 1e39), ("repetition_penalty", 1e39), ("repetition_penalty", 1e-39)):
        with pytest.raises(InputError, match=rf"{name} is {re.escape(str(value))}; it is .*finite in float32"):
            GenerationConfig(**{name: value})
    with pytest.raises(InputError, match="stop_strings are non-empty strings, found 'abc'"):
        GenerationConfig(stop_strings="abc")  # type: ignore[arg-type]
    for stops in (3, None, [3], ("x", b"y"), [""]):
        with pytest.raises(InputError, match="stop_strings are non-empty strings, found "):
            GenerationConfig(stop_strings=stops)  # type: ignore[arg-type]


def test_the_step_gives_logits_at_the_places_alone_and_on_request() -> None:
    step = Step(models.llama(original().config.to_dict(), capacity=48), sampling=False, logits=True)
    made = trtnet.define(step, weights=original()).reference()
    ids, caches = (
        np.array([PROMPTS[0]]),
        {info.name: np.zeros((1, *info.shape[1:]), np.float32) for info in made.inputs if info.name[0] in "kv"},
    )
    given = {"input_ids": ids, "write_indices": np.zeros(1, np.int32), **caches}
    some = made(places=np.array([[2, 7]]), **given)
    every = made(places=np.arange(8)[None], **given)
    np.testing.assert_allclose(some["logits"], every["logits"][:, [2, 7]], rtol=1e-5, atol=1e-5)
    assert (some["tokens"] == every["logits"][:, [2, 7]].argmax(-1)).all()
    assert Generator(made)(PROMPTS, GenerationConfig(6)) == generator()(PROMPTS, GenerationConfig(6))
    with pytest.raises(InputError, match="made for the most likely tokens alone"):
        Generator(made)(PROMPTS, GenerationConfig(6, temperature=0.5))
    assert "logits" not in [info.name for info in reference().outputs]
