"""The loop around a step: prompts into the caches, then a token of each sequence at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Any

import numpy as np

from trtnet.generation.caches import Array, DeviceCaches, HostCaches, caches_of
from trtnet.generation.chat import ChatTemplate
from trtnet.generation.configuration import GREEDY, GenerationConfig
from trtnet.generation.drafts import draft
from trtnet.generation.prompts import Parts
from trtnet.generation.sampling import CONTROLS
from trtnet.generation.text import Text, Tokenizer
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted

Prompt = str | Sequence[int]
Configs = GenerationConfig | Sequence[GenerationConfig]


@dataclass(frozen=True)
class Completion:
    """What was generated. text: "" without a tokenizer. tokens: without the one that ended it.

    finish_reason: "stop" for a token or text that ends, "length" for as many tokens as were asked for or as the caches
    hold. steps: how many calls of the step it took, after those for the prompt.
    """

    text: str
    tokens: list[int]
    finish_reason: str
    steps: int


@dataclass
class _Sequence:
    """One prompt and what follows. limit: the most tokens of it."""

    prompt: list[int]
    config: GenerationConfig
    ends: frozenset[int]
    limit: int
    text: Text | None
    tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    finish_reason: str = ""
    steps: int = 0

    @property
    def whole(self) -> list[int]:
        return [*self.prompt, *self.tokens]

    @property
    def last(self) -> int:
        return self.tokens[-1] if self.tokens else self.prompt[-1]

    def take(self, token: int) -> None:
        """Goes on with the token that was chosen."""
        if token in self.ends:
            self._finish("stop")
            return
        self.tokens.append(token)
        if self.text is not None:
            self.pieces.append(self.text.add(token))
        if self.text is not None and self.text.stopped:
            self._finish("stop")
        elif len(self.tokens) == self.limit:
            self._finish("length")

    def _finish(self, reason: str) -> None:
        self.finish_reason = reason
        if self.text is not None:
            self.pieces.append(self.text.end())
            self.finish_reason = "stop" if self.text.stopped else reason

    def completion(self) -> Completion:
        return Completion("" if self.text is None else self.text.whole, self.tokens, self.finish_reason, self.steps)


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
        chat_template: ChatTemplate | None = None,
        chunk: int = 256,
        device: str | None = None,
        prompts: Any = None,
    ) -> None:
        if chunk < 1:
            raise InputError(f"chunk is {chunk}; it is at least 1, the most tokens of a prompt in a step")
        self._prompts = step if prompts is None else prompts
        self._fixed, self.capacity = _checked(step, self._prompts)
        self.tokenizer, self.eos_token_id, self.chat_template = tokenizer, frozenset(eos_token_id), chat_template
        self._step, self._device = step, device
        self._parts = _parts(self._prompts, chunk, self.capacity, device is not None)
        self._samples = any(info.name == "uniform" for info in step.inputs)
        self._caches: dict[int, HostCaches | DeviceCaches] = {}
        self._running: list[_Sequence] = []

    def __call__(self, prompts: Sequence[Prompt], config: Configs = GREEDY) -> list[Completion]:
        """Completes prompts of any lengths together: texts or lists of tokens. config: of all, or one for each.

        Raises InputError for a prompt that is empty or that the caches do not hold, for text without a tokenizer, and
        for another number of configs; ProfileError for more prompts than the engine takes.
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
        if self.tokenizer is None:
            raise InputError("pieces of text need a tokenizer: Generator(step, tokenizer)")
        (row,) = self._rows([prompt], config)
        for _ in self._run([row]):
            yield from filter(None, row.pieces)
            row.pieces.clear()

    def _rows(self, prompts: Sequence[Prompt], given: Configs) -> list[_Sequence]:
        configs = [given] * len(prompts) if isinstance(given, GenerationConfig) else given
        if len(configs) != len(prompts):
            raise InputError(f"{len(prompts)} prompts take one config or {len(prompts)}; found {len(configs)}")
        if self._parts.length and any(config.prompt_lookup_num_tokens for config in configs):
            known = f"the step takes {self._parts.length} tokens or one"
            raise InputError(
                f"{known}: guesses (prompt_lookup_num_tokens) need one of any length, profiles(drafted=...)"
            )
        if self.tokenizer is None and any(config.stop_strings for config in configs):
            raise InputError("stop_strings need a tokenizer: Generator(step, tokenizer)")
        rows = []
        for prompt, config in zip(prompts, configs, strict=True):
            tokens = self._tokens(prompt)
            text = None if self.tokenizer is None else Text(self.tokenizer, config.stop_strings)
            limit = min(config.max_new_tokens, self.capacity - len(tokens) + 1)
            rows.append(_Sequence(tokens, config, self.eos_token_id | self._ends(config), limit, text))
        return rows

    def _ends(self, config: GenerationConfig) -> set[int]:
        """The tokens of stop strings that no text shows, as "<|im_end|>"."""
        if self.tokenizer is None:
            return set()
        encoded = [self.tokenizer.encode(text, add_special_tokens=False) for text in config.stop_strings]
        return {tokens[0] for tokens in encoded if len(tokens) == 1 and not self.tokenizer.decode(tokens)}

    def _tokens(self, prompt: Prompt) -> list[int]:
        if not isinstance(prompt, str):
            try:
                tokens = [index(token) for token in prompt]
            except TypeError as error:
                raise InputError(f"a prompt is a text, or a list of whole numbers: {error}") from error
        elif self.tokenizer is None:
            raise InputError("a prompt that is text needs a tokenizer: Generator(step, tokenizer)")
        else:
            tokens = self.tokenizer.encode(prompt)
        if not tokens:
            raise InputError("a prompt has no tokens")
        if min(tokens) < 0:
            raise InputError(f"a prompt has the token {min(tokens)}; tokens are numbers of the vocabulary, from 0")
        if len(tokens) > self.capacity:
            text = f"a prompt has {counted(len(tokens), 'token')}, the caches hold {self.capacity:,}"
            raise InputError(f"{text}: shorten it, or define the model with a larger capacity")
        return tokens

    def _run(self, rows: list[_Sequence]) -> Iterator[None]:
        """Steps until all sequences have an end."""
        if not rows:
            return
        if self._fixed and len(rows) > self._fixed:
            raise InputError(f"{len(rows)} prompts: this step was made for {self._fixed} sequences at a time")
        idle = _Sequence([0], GREEDY, self.eos_token_id, 0, None, finish_reason="length")
        rows = [*rows, *[idle] * (self._fixed - len(rows))]
        if len(rows) not in self._caches:
            self._caches.clear()  # those of another size are given back before there are new ones
            self._caches[len(rows)] = self._new_caches(len(rows))
        caches = self._caches[len(rows)]
        caches.begin(self._controls(rows))
        self._running = rows
        self._prefill(rows, caches)
        yield
        while not all(row.finish_reason for row in rows):
            if self._running is not rows:
                raise InputError(
                    "another text was begun with this Generator: end a stream first, or use two Generators"
                )
            self._decode(rows, caches)
            yield

    def _new_caches(self, batch: int) -> HostCaches | DeviceCaches:
        if self._device is None:
            return HostCaches(self._step, self._prompts, batch)
        return DeviceCaches(self._step, self._prompts, batch, self._device)

    def _prefill(self, rows: list[_Sequence], caches: HostCaches | DeviceCaches) -> None:
        """Prompts into the caches."""
        for part in self._parts.of([row.prompt for row in rows]):
            chosen = caches(part.ids, np.full(len(rows), part.at, np.int32), part.places)
            for row, token, ends in zip(rows, chosen[:, 0], part.ends, strict=True):
                if ends and not row.finish_reason:
                    row.take(int(token))

    def _decode(self, rows: list[_Sequence], caches: HostCaches | DeviceCaches) -> None:
        """A step: a token of each sequence, and more where guesses were right."""
        held = np.array([len(row.prompt) + len(row.tokens) - 1 for row in rows], np.int32)
        guesses = max(row.config.prompt_lookup_num_tokens for row in rows)
        guesses *= all(row.finish_reason or n + 1 + guesses <= self.capacity for row, n in zip(rows, held, strict=True))
        ids = np.array([[row.last, *(draft(row.whole, guesses) if guesses else ())] for row in rows], np.int64)
        held = held.clip(0, self.capacity - 1 - guesses)
        places = np.tile(np.arange(1 + guesses), (len(rows), 1))
        chosen = caches(ids, held, places) if guesses else caches.next(ids, held)
        for row, given, tokens in zip(rows, ids.tolist(), chosen.tolist(), strict=True):
            row.steps += not row.finish_reason
            for guess, token in zip([*given[1:], None], tokens, strict=True):
                if not row.finish_reason:
                    row.take(token)
                if row.finish_reason or token != guess:
                    break

    def _controls(self, rows: list[_Sequence]) -> dict[str, Array]:
        """What the network chooses tokens by. Raises InputError where it takes the most likely ones alone."""
        if not self._samples:
            if any(row.config.temperature != 0 or row.config.repetition_penalty != 1 for row in rows):
                raise InputError("the step was made for the most likely tokens alone: leave out Step(sampling=False)")
            return {}
        controls = {name: np.array([getattr(row.config, name) for row in rows], np.float32) for name in CONTROLS}
        sources = [np.random.default_rng([row.config.seed, number]) for number, row in enumerate(rows)]
        controls["uniform"] = np.stack([source.random((self.capacity, 2), np.float32) for source in sources])
        return controls


def _checked(step: Any, prompts: Any) -> tuple[int, int]:
    """(how many sequences there are if that is fixed, else 0; the tokens that the caches hold). Raises InputError."""
    found, others = caches_of(step), caches_of(prompts)
    inputs = {info.name: info for info in prompts.inputs}
    if not found or "places" not in inputs:
        raise InputError("a Generator runs the step of a decoder: define(trtnet.generation.Step(model), weights=...)")
    if inputs["input_ids"].shape[1] == 1:
        raise InputError("this step takes single tokens: give prompts= a step of any length, Step(model)")
    if [(info.name, *info.shape[1:]) for info in found] != [(info.name, *info.shape[1:]) for info in others]:
        raise InputError("the step for prompts has other caches: make both of one decoder, with the same sampling")
    fixed = [info.shape[0] for info in (found[0], others[0]) if isinstance(info.shape[0], int)]
    return fixed[0] if fixed else 0, int(found[0].shape[2])


def _parts(prompts: Any, chunk: int, capacity: int, on_gpu: bool) -> Parts:
    """How a step's prompts are cut. Raises InputError for a fixed length that the caches do not hold."""
    length = next(info.shape[1] for info in prompts.inputs if info.name == "input_ids")
    pads = on_gpu or hasattr(prompts, "submit")
    if not isinstance(length, int):
        return Parts(chunk, capacity, pads=pads)
    if length > capacity:
        raise InputError(f"the step takes {length} tokens, its caches hold {capacity}: make it with a smaller length")
    return Parts(length, capacity, length)
