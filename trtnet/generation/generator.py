"""The loop around a step: prompts go into the caches, then each step gives every sequence a token."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import index
from typing import Any

import numpy as np

from trtnet.generation.caches import DeviceCaches, HostCaches
from trtnet.generation.configuration import GREEDY, GenerationConfig, controls
from trtnet.generation.sequences import Completion, Row
from trtnet.generation.step import sizes_of
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted
from trtnet.text.growing import GrowingText
from trtnet.text.tokenizer import Tokenizer

Prompt = str | Sequence[int]
Configs = GenerationConfig | Sequence[GenerationConfig]
log = logging.getLogger("trtnet.generation")
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
        self.tokenizer, self.eos_token_id, self.chat_template = tokenizer, frozenset(eos_token_id), chat_template
        self._networks, self._device = (step, step if prompts is None else prompts), device
        self._sizes = sizes_of(*self._networks)
        self.capacity, most = self._sizes.capacity, min(chunk, self._sizes.capacity)
        self._widths: Sequence[int] = range(1, most + 1)
        """How many tokens a step takes of each sequence."""
        if self._sizes.length:
            self._widths = 1, self._sizes.length
        elif device is not None or hasattr(self._networks[1], "submit"):  # an engine compiles kernels for each
            self._widths = sorted({1, most, *(1 << n for n in range(3, most.bit_length()))})
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
        return [row.completion() for row in rows]

    def stream(self, prompt: Prompt, config: GenerationConfig = GREEDY) -> Iterator[str]:
        """The pieces of one text as they come.

        Raises as a call, and InputError without a tokenizer, and where another text was begun meanwhile: the caches are
        its.
        """
        self._tokenizer_for("pieces of text need")
        (row,) = self._rows([prompt], config)
        given = 0
        for _ in self._run([row]):
            if piece := row.text.so_far[given:]:
                yield piece
                given += len(piece)

    def _run(self, rows: list[Row]) -> Iterator[None]:
        """Steps until all sequences have an end."""
        if not rows:
            return
        batch = self._sizes.batch
        if batch and len(rows) > batch:
            raise InputError(
                f"{counted(len(rows), 'prompt')}: this step was made for {counted(batch, 'sequence')} at a time"
            )
        idle = Row([0], 1, 1, GREEDY, frozenset(), GrowingText(None), finish_reason="length")
        rows = [*rows, *[idle] * (batch - len(rows))]
        caches = self._begin(rows)
        while not all(row.finish_reason for row in rows):
            if self._running is not rows:
                raise InputError(
                    "another text was begun with this Generator: end a stream first, or use two Generators"
                )
            self._step(rows, caches)
            yield
        for row in rows:
            if row.is_cut:
                log.warning(
                    "a text ends after %s of %s that were asked for: the caches hold %s, with those of its prompt (%s);"
                    " give it a larger capacity", counted(len(row.tokens) - row.prompt, "token"),
                    f"{row.config.max_new_tokens:,}", counted(self.capacity, "token"), f"{row.prompt:,}",
                )  # fmt: skip

    def _begin(self, rows: list[Row]) -> HostCaches | DeviceCaches:
        """Empty caches, and what the network chooses tokens by."""
        chosen_by = controls([row.config for row in rows], self.capacity) if self._sizes.sampling else {}
        if not chosen_by and any(row.config.temperature or row.config.repetition_penalty != 1 for row in rows):
            raise InputError("the step was made for the most likely tokens alone: leave out Step(sampling=False)")
        if self._caches is None or self._caches.batch != len(rows):
            self._caches = None  # those of another size are given back before there are new ones
            if self._device is None:
                self._caches = HostCaches(*self._networks, len(rows))
            else:
                self._caches = DeviceCaches(*self._networks, len(rows), self._device)
        self._caches.begin(chosen_by)
        self._running = rows
        return self._caches

    def _step(self, rows: list[Row], caches: HostCaches | DeviceCaches) -> None:
        """A step: tokens of prompts that the caches lack, else one of each sequence, and more where guesses were right.

        What is behind a sequence's tokens, zeros and wrong guesses, is overwritten before it is read.
        """
        running = [row for row in rows if not row.finish_reason]
        lacking = max(len(row.tokens) - row.cached for row in running)
        guesses = self._guesses(running) if lacking == 1 else 0
        taken = min(lacking, self._widths[-1])
        width = guesses + next(width for width in self._widths if width >= taken)
        starts = [min(row.cached, self.capacity - width) for row in rows]
        ids = [row.window(start, width, guesses) for row, start in zip(rows, starts, strict=True)]
        given = np.array(ids, np.int64), np.array(starts, np.int32)
        if lacking == 1 and not guesses:
            chosen = caches.next(*given)
        else:
            last = np.array([len(row.tokens) - 1 for row in rows]) - starts
            chosen = caches(*given, (last[:, None] + np.arange(1 + guesses)).clip(max=width - 1))
        for row, start, tokens, following in zip(rows, starts, ids, chosen.tolist(), strict=True):
            if not row.finish_reason:
                row.follow(start + width, tokens[1 : 1 + guesses], following)

    def _guesses(self, running: list[Row]) -> int:
        """How many tokens each sequence guesses: the most that one asks for, and none where the caches end."""
        most = max(row.config.prompt_lookup_num_tokens for row in running)
        return most if all(len(row.tokens) + most <= self.capacity for row in running) else 0

    def _rows(self, prompts: Sequence[Prompt], given: Configs) -> list[Row]:
        """The sequences that begin with prompts."""
        configs = [given] * len(prompts) if isinstance(given, GenerationConfig) else given
        if len(configs) != len(prompts):
            raise InputError(
                f"{counted(len(configs), 'config')} for {counted(len(prompts), 'prompt')}: give one, or one for each"
            )
        length = self._sizes.length
        if length and any(config.prompt_lookup_num_tokens for config in configs):
            raise InputError(
                f"the step takes {counted(length, 'token')} or one: guesses (prompt_lookup_num_tokens) need one of any"
                " length, profiles(drafted=...)"
            )
        return [self._row(self._tokens(prompt), config) for prompt, config in zip(prompts, configs, strict=True)]

    def _row(self, prompt: list[int], config: GenerationConfig) -> Row:
        ends = self.eos_token_id
        for text in config.stop_strings:
            tokenizer = self._tokenizer_for("stop_strings need")
            tokens = tokenizer.encode(text, add_special_tokens=False)
            if len(tokens) == 1 and not tokenizer.decode(tokens):  # no text shows it, as "<|im_end|>"
                ends |= {*tokens}
        most = min(len(prompt) + config.max_new_tokens, self.capacity + 1)
        return Row(prompt, len(prompt), most, config, ends, GrowingText(self.tokenizer, config.stop_strings))

    def _tokens(self, prompt: Prompt) -> list[int]:
        """A prompt's tokens. Raises InputError."""
        if isinstance(prompt, str):
            prompt = self._tokenizer_for("a prompt that is text needs").encode(prompt)
        try:
            tokens = [index(token) for token in prompt]
        except TypeError as error:
            raise InputError(f"a prompt is a text, or a list of whole numbers: {error}") from error
        if not tokens:
            raise InputError("a prompt has no tokens")
        vocabulary = self._sizes.vocabulary
        for token in (min(tokens), max(tokens)):
            if token < 0 or 0 < vocabulary <= token:
                known = f" to {vocabulary - 1:,}" if vocabulary else ""
                raise InputError(f"a prompt has the token {token}; the model's are numbers from 0{known}")
        if len(tokens) > self.capacity:
            text = f"a prompt has {counted(len(tokens), 'token')}, the caches hold {self.capacity:,}"
            raise InputError(f"{text}: shorten it, or define the model with a larger capacity")
        return tokens

    def _tokenizer_for(self, what: str) -> Tokenizer:
        if self.tokenizer is None:
            raise InputError(f"{what} a tokenizer: Generator(step, tokenizer)")
        return self.tokenizer
