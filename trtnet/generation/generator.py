"""The loop around a step: prompts into the caches, then a token of each sequence at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import index
from typing import Any

import numpy as np

from trtnet.generation.caches import Array, DeviceCaches, HostCaches, caches_of
from trtnet.generation.configuration import GREEDY, GenerationConfig
from trtnet.generation.sampling import CONTROLS
from trtnet.generation.sequences import Completion, Row, draft
from trtnet.generation.text import Text, Tokenizer
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted

Prompt = str | Sequence[int]
Configs = GenerationConfig | Sequence[GenerationConfig]
LEAST = 8
"""The fewest tokens of prompts in an engine's step."""


class Generator:
    """Generates text with the step of a decoder.

    step: the reference, an engine or a session of a :class:`trtnet.generation.Step`, of any dtype. tokenizer: turns
    text into tokens and back; without one, prompts are lists of tokens. eos_token_id: tokens that end a text.
    chat_template: writes messages as a prompt. chunk: the most tokens of a prompt in a step; an engine's have zeros
    behind them, to a power of two. device: torch's name of the GPU that the caches are on, "cuda"; None for numpy
    arrays on the host. prompts: runs prompts and guesses, where `step` takes single tokens alone: another engine of the
    same decoder's Step, for as many sequences. Where the batch of a step is fixed, the rows that prompts leave free run
    along.
    Raises InputError for what is not a step, for two that differ in their caches, and for a chunk below 1.
    """

    def __init__(
        self,
        step: Any,
        tokenizer: Tokenizer | None = None,
        *,
        eos_token_id: Sequence[int] = (),
        chat_template: Callable[[Sequence[Mapping[str, Any]]], str] | None = None,
        chunk: int = 256,
        device: str | None = None,
        prompts: Any = None,
    ) -> None:
        if chunk < 1:
            raise InputError(f"chunk is {chunk}; it is at least 1, the most tokens of a prompt in a step")
        self._steps, self._device = (step, step if prompts is None else prompts), device
        self._batch, self._length, self.capacity, self._vocabulary = _checked(*self._steps)
        self._chunk = self._length or chunk
        self._pads = device is not None or hasattr(self._steps[1], "submit")
        self.tokenizer, self.eos_token_id, self.chat_template = tokenizer, frozenset(eos_token_id), chat_template
        self._caches: HostCaches | DeviceCaches | None = None
        self._running: list[Row] = []

    def __call__(self, prompts: Sequence[Prompt], config: Configs = GREEDY) -> list[Completion]:
        """Completes prompts of any lengths together: texts or lists of tokens. config: of all, or one for each.

        Raises InputError for a prompt that is empty, that the caches do not hold or with a token that the model does
        not have, for text without a tokenizer, and for another number of configs; ProfileError for more prompts than
        the engine takes.
        """
        if isinstance(prompts, str):
            raise InputError("prompts are a list, also for a single text: generator([text])")
        rows = self._rows(prompts, config)
        for _ in self._run(rows):
            pass
        return [Completion(row.text.whole, row.tokens, row.finish_reason, row.steps) for row in rows]

    def stream(self, prompt: Prompt, config: GenerationConfig = GREEDY) -> Iterator[str]:
        """The pieces of one text as they come.

        Raises as a call, and InputError without a tokenizer, and where another text was begun meanwhile: the caches are
        its.
        """
        self._tokenizer_for("pieces of text need")
        (row,) = self._rows([prompt], config)
        for _ in self._run([row]):
            yield from filter(None, row.pieces)
            row.pieces.clear()

    def _tokenizer_for(self, what: str) -> Tokenizer:
        if self.tokenizer is None:
            raise InputError(f"{what} a tokenizer: Generator(step, tokenizer)")
        return self.tokenizer

    def _rows(self, prompts: Sequence[Prompt], given: Configs) -> list[Row]:
        configs = [given] * len(prompts) if isinstance(given, GenerationConfig) else given
        if len(configs) != len(prompts):
            raise InputError(
                f"{counted(len(configs), 'config')} for {counted(len(prompts), 'prompt')}: give one, or one for each"
            )
        if self._length and any(config.prompt_lookup_num_tokens for config in configs):
            raise InputError(
                f"the step takes {counted(self._length, 'token')} or one: guesses (prompt_lookup_num_tokens) need one"
                " of any length, profiles(drafted=...)"
            )
        return [self._row(self._tokens(prompt), config) for prompt, config in zip(prompts, configs, strict=True)]

    def _row(self, prompt: list[int], config: GenerationConfig) -> Row:
        ends = set(self.eos_token_id)
        for text in config.stop_strings:
            tokenizer = self._tokenizer_for("stop_strings need")
            tokens = tokenizer.encode(text, add_special_tokens=False)
            if len(tokens) == 1 and not tokenizer.decode(tokens):  # no text shows it, as "<|im_end|>"
                ends.update(tokens)
        limit = min(config.max_new_tokens, self.capacity - len(prompt) + 1)
        return Row(prompt, config, frozenset(ends), limit, Text(self.tokenizer, config.stop_strings))

    def _tokens(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            prompt = self._tokenizer_for("a prompt that is text needs").encode(prompt)
        try:
            tokens = [index(token) for token in prompt]
        except TypeError as error:
            raise InputError(f"a prompt is a text, or a list of whole numbers: {error}") from error
        if not tokens:
            raise InputError("a prompt has no tokens")
        if min(tokens) < 0:
            raise InputError(f"a prompt has the token {min(tokens)}; tokens are numbers of the vocabulary, from 0")
        if 0 < self._vocabulary <= max(tokens):
            text = f"the model's vocabulary has {counted(self._vocabulary, 'token')}"
            raise InputError(f"a prompt has the token {max(tokens)}; {text}")
        if len(tokens) > self.capacity:
            text = f"a prompt has {counted(len(tokens), 'token')}, the caches hold {self.capacity:,}"
            raise InputError(f"{text}: shorten it, or define the model with a larger capacity")
        return tokens

    def _run(self, rows: list[Row]) -> Iterator[None]:
        """Steps until all sequences have an end."""
        if not rows:
            return
        if self._batch and len(rows) > self._batch:
            raise InputError(
                f"{counted(len(rows), 'prompt')}: this step was made for {counted(self._batch, 'sequence')} at a time"
            )
        idle = Row([0], GREEDY, frozenset(), 0, Text(None), finish_reason="length")
        rows = [*rows, *[idle] * (self._batch - len(rows))]
        caches = self._caches_for(len(rows))
        caches.begin(self._controls(rows))
        self._running = rows
        while not all(row.finish_reason for row in rows):
            if self._running is not rows:
                raise InputError(
                    "another text was begun with this Generator: end a stream first, or use two Generators"
                )
            self._step(rows, caches)
            yield

    def _caches_for(self, batch: int) -> HostCaches | DeviceCaches:
        if self._caches is None or self._caches.batch != batch:
            self._caches = None  # those of another size are given back before there are new ones
            if self._device is None:
                self._caches = HostCaches(*self._steps, batch)
            else:
                self._caches = DeviceCaches(*self._steps, batch, self._device)
        return self._caches

    def _step(self, rows: list[Row], caches: HostCaches | DeviceCaches) -> None:
        """A step: tokens of prompts that the caches lack, else one of each sequence, and more where guesses were right.

        What is behind a sequence's tokens, zeros and wrong guesses, is overwritten before it is read.
        """
        running = [row for row in rows if not row.finish_reason]
        lacking = max(len(row.whole) - row.held for row in running)
        guesses = max(row.config.prompt_lookup_num_tokens for row in running)
        if lacking > 1 or any(len(row.whole) + guesses > self.capacity for row in running):
            guesses = 0
        width = self._width(min(lacking, self._chunk)) + guesses
        starts = [min(row.held, self.capacity - width) for row in rows]
        ids = [
            [*row.whole[start : start + width], *draft(row.whole, guesses), *[0] * width][:width]
            for row, start in zip(rows, starts, strict=True)
        ]
        given = np.array(ids, np.int64), np.array(starts, np.int32)
        if lacking == 1 and not guesses:
            chosen = caches.next(*given)
        else:
            last = np.array([len(row.whole) - 1 for row in rows]) - starts
            chosen = caches(*given, (last[:, None] + np.arange(1 + guesses)).clip(max=width - 1))
        for row, start, tokens, following in zip(rows, starts, ids, chosen.tolist(), strict=True):
            if not row.finish_reason:
                row.follow(start + width, tokens[1 : 1 + guesses], following)

    def _width(self, count: int) -> int:
        """Tokens of a step that has so many of prompts."""
        if count == 1 or not (self._pads or self._length):
            return count
        return self._length or min(max(LEAST, 1 << (count - 1).bit_length()), self._chunk, self.capacity)

    def _controls(self, rows: list[Row]) -> dict[str, Array]:
        """What the network chooses tokens by. Raises InputError where it takes the most likely ones alone."""
        if all(info.name != "uniform" for info in self._steps[0].inputs):
            if any(row.config.temperature != 0 or row.config.repetition_penalty != 1 for row in rows):
                raise InputError("the step was made for the most likely tokens alone: leave out Step(sampling=False)")
            return {}
        controls = {name: np.array([getattr(row.config, name) for row in rows], np.float32) for name in CONTROLS}
        sources = [np.random.default_rng([row.config.seed, number]) for number, row in enumerate(rows)]
        controls["uniform"] = np.stack([source.random((self.capacity, 2), np.float32) for source in sources])
        return controls


def _checked(step: Any, prompts: Any) -> tuple[int, int, int, int]:
    """(how many sequences there are, the length of steps for prompts, each 0 if it is not fixed; the tokens that the
    caches hold, those of the vocabulary, 0 if that is not known). Raises InputError.
    """
    found, others = caches_of(step), caches_of(prompts)
    inputs = {info.name: info for info in prompts.inputs}
    if not found or "places" not in inputs:
        raise InputError("a Generator runs the step of a decoder: define(trtnet.generation.Step(model), weights=...)")
    length, capacity = _number(inputs["input_ids"].shape[1]), int(found[0].shape[2])
    if length == 1:
        raise InputError("this step takes single tokens: give prompts= a step of any length, Step(model)")
    if [(info.name, *info.shape[1:]) for info in found] != [(info.name, *info.shape[1:]) for info in others]:
        raise InputError("the step for prompts has other caches: make both of one decoder, with the same sampling")
    if length > capacity:
        raise InputError(
            f"the step takes {counted(length, 'token')}, its caches hold {capacity}: make it with a smaller length"
        )
    batch = _number(found[0].shape[0]) or _number(others[0].shape[0])
    return batch, length, capacity, inputs["input_ids"].rows


def _number(size: int | str) -> int:
    return size if isinstance(size, int) else 0
