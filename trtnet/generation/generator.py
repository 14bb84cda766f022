"""The loop around a step: prompts into the caches, then a token of each sequence at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trtnet.generation.caches import Array, DeviceCaches, HostCaches, caches_of
from trtnet.generation.chat import ChatTemplate
from trtnet.generation.configuration import GREEDY, GenerationConfig
from trtnet.generation.drafts import draft
from trtnet.generation.sampling import choose
from trtnet.generation.text import Text, Tokenizer
from trtnet.support.errors import InputError

Prompt = str | Sequence[int]


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
    random: np.random.Generator
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

    def choose(self, best: int, logits: Callable[[], Array], place: tuple[int, int]) -> int:
        """Chooses the next token, and takes it. place: of its logits."""
        token = best
        if not self.config.takes_best:
            uniform = self.random.random() if self.config.temperature else 0.0
            token = choose(logits()[place], self.whole, self.config, uniform)
        if token in self.ends:
            self._finish("stop")
            return token
        self.tokens.append(token)
        if self.text is not None:
            self.pieces.append(self.text.add(token))
        if self.text is not None and self.text.stopped:
            self._finish("stop")
        elif len(self.tokens) == self.limit:
            self._finish("length")
        return token

    def _finish(self, reason: str) -> None:
        self.finish_reason = reason
        if self.text is not None:
            self.pieces.append(self.text.end())

    def completion(self) -> Completion:
        return Completion("" if self.text is None else self.text.whole, self.tokens, self.finish_reason, self.steps)


class Generator:
    """Generates text with the step of a decoder.

    step: the reference, an engine or a session of a :class:`trtnet.generation.Step`, of any dtype. tokenizer: turns
    text into tokens and back; without one, prompts are lists of tokens. eos_token_id: tokens that end a text.
    chat_template: writes messages as a prompt. chunk: the most tokens of a prompt in a step. device: torch's name of
    the GPU that the caches are on, "cuda"; None for numpy arrays on the host.
    Raises InputError for what is not a step.
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
    ) -> None:
        found = caches_of(step)
        if not found or all(info.name != "places" for info in step.inputs):
            raise InputError(
                "a Generator runs the step of a decoder: define(trtnet.generation.Step(model), weights=...)"
            )
        self.capacity = int(found[0].shape[2])
        self.tokenizer, self.eos_token_id, self.chat_template = tokenizer, frozenset(eos_token_id), chat_template
        self._step, self._chunk, self._device = step, chunk, device
        self._caches: dict[int, HostCaches | DeviceCaches] = {}
        self._running: list[_Sequence] = []

    def __call__(self, prompts: Sequence[Prompt], config: GenerationConfig = GREEDY) -> list[Completion]:
        """Completes prompts of any lengths together: texts or lists of tokens.

        Raises InputError for a prompt that is empty or that the caches do not hold, and for text without a tokenizer;
        ProfileError for more prompts than the engine takes.
        """
        if isinstance(prompts, str):
            raise InputError("prompts are a list, also for a single text: generator([text])")
        rows = self._rows(prompts, config)
        for _ in self._run(rows):
            pass
        return [row.completion() for row in rows]

    def stream(self, prompt: Prompt, config: GenerationConfig = GREEDY) -> Iterator[str]:
        """The pieces of one text as they come.

        Raises as a call, and InputError where another text was begun meanwhile: the caches are its.
        """
        (row,) = self._rows([prompt], config)
        for _ in self._run([row]):
            yield from filter(None, row.pieces)
            row.pieces.clear()

    def _rows(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[_Sequence]:
        if self.tokenizer is None and config.stop_strings:
            raise InputError("stop_strings need a tokenizer: Generator(step, tokenizer)")
        rows = []
        for number, prompt in enumerate(prompts):
            tokens = self._tokens(prompt)
            text = None if self.tokenizer is None else Text(self.tokenizer, config.stop_strings)
            limit = min(config.max_new_tokens, self.capacity - len(tokens) + 1)
            random = np.random.default_rng([config.seed, number])
            rows.append(_Sequence(tokens, config, self.eos_token_id, limit, random, text))
        return rows

    def _tokens(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str) and self.tokenizer is None:
            raise InputError("a prompt that is text needs a tokenizer: Generator(step, tokenizer)")
        tokens = self.tokenizer.encode(prompt) if isinstance(prompt, str) and self.tokenizer else [*map(int, prompt)]
        if not tokens:
            raise InputError("a prompt has no tokens")
        if len(tokens) > self.capacity:
            text = f"a prompt has {len(tokens):,} tokens, the caches hold {self.capacity:,}"
            raise InputError(f"{text}: shorten it, or define the model with a larger capacity")
        return tokens

    def _run(self, rows: list[_Sequence]) -> Iterator[None]:
        """Steps until all sequences have an end."""
        if not rows:
            return
        if len(rows) not in self._caches:
            self._caches.clear()  # those of another size are given back before there are new ones
            self._caches[len(rows)] = self._new_caches(len(rows))
        caches = self._caches[len(rows)]
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
            return HostCaches(self._step, batch)
        return DeviceCaches(self._step, batch, self._device)

    def _prefill(self, rows: list[_Sequence], caches: HostCaches | DeviceCaches) -> None:
        """Prompts into the caches; what the shorter ones have in their place is overwritten before it is read."""
        lengths = np.array([len(row.prompt) for row in rows])
        ids = np.zeros((len(rows), lengths.max()), np.int64)
        for row, sequence in zip(ids, rows, strict=True):
            row[: len(sequence.prompt)] = sequence.prompt
        for start in range(0, ids.shape[1], self._chunk):
            part = np.ascontiguousarray(ids[:, start : start + self._chunk])
            last = lengths - 1 - start
            places = last.clip(0, part.shape[1] - 1)[:, None]
            best, logits = caches(part, np.full(len(rows), start, np.int32), places)
            for i, row in enumerate(rows):
                if 0 <= last[i] < part.shape[1]:
                    row.choose(int(best[i, 0]), logits, (i, 0))

    def _decode(self, rows: list[_Sequence], caches: HostCaches | DeviceCaches) -> None:
        """A step: a token of each sequence, and more where guesses were right."""
        held = np.array([len(row.prompt) + len(row.tokens) - 1 for row in rows], np.int32)
        guesses = rows[0].config.prompt_lookup_num_tokens
        if rows[0].config.takes_best and not guesses:
            self._decode_best(rows, caches, held)
            return
        guesses *= all(row.finish_reason or n + 1 + guesses <= self.capacity for row, n in zip(rows, held, strict=True))
        ids = np.array([[row.last, *(draft(row.whole, guesses) if guesses else ())] for row in rows], np.int64)
        places = np.tile(np.arange(1 + guesses), (len(rows), 1))
        best, logits = caches(ids, held.clip(0, self.capacity - 1 - guesses), places)
        for i, row in enumerate(rows):
            if row.finish_reason:
                continue
            row.steps += 1
            for j in range(1 + guesses):
                token = row.choose(int(best[i, j]), logits, (i, j))
                if row.finish_reason or j == guesses or token != ids[i, j + 1]:
                    break

    def _decode_best(self, rows: list[_Sequence], caches: HostCaches | DeviceCaches, held: Array) -> None:
        """A step whose most likely tokens are taken, whatever they are."""
        ids = np.array([[row.last] for row in rows], np.int64)
        best = caches.next(ids, held.clip(0, self.capacity - 1))
        for row, token in zip(rows, best[:, 0].tolist(), strict=True):
            if not row.finish_reason:
                row.steps += 1
                row.choose(token, _no_logits, (0, 0))


def _no_logits() -> Array:
    raise AssertionError("the most likely token needs no logits")
