"""A small decoder that generates on the reference, its original, and a tokenizer of a letter a token."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from helpers.decoders import published

import trtnet
from trtnet import models
from trtnet.generation import Generator, Step

LETTERS = "abcdefghijklmnopqrstuvwxyz .,!?0123456789"
PROMPTS = [[3, 1, 4, 1, 5, 9, 2, 6], [2, 7], [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]]


class Letters:
    """A letter a token; those beyond are the bytes of a euro sign, in turn."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [LETTERS.index(letter) for letter in text if letter in LETTERS]

    def decode(self, token_ids: list[int], skip_special_tokens: bool = True) -> str:
        euro = "€".encode()
        parts = (LETTERS[i].encode() if i < len(LETTERS) else euro[i % 3 : i % 3 + 1] for i in token_ids)
        return b"".join(parts).decode(errors="replace")


RESTLESS, REPETITIVE = 0.3, 0.1


WIDTH = 96
"""Of the perceptrons."""


@cache
def original(scale: float = RESTLESS, width: int = WIDTH) -> Any:
    """With tied embeddings and small layers, the next token is the last one again."""
    return published("Llama", scale=scale, tie_word_embeddings=True, intermediate_size=width)


@cache
def network(capacity: int = 48, scale: float = RESTLESS, width: int = WIDTH) -> Any:
    return quantized(None, capacity, scale, width)


def quantized(said: Any, capacity: int = 48, scale: float = RESTLESS, width: int = WIDTH) -> Any:
    published_ = original(scale, width)
    model = models.llama(published_.config.to_dict(), capacity=capacity)
    return trtnet.define(Step(model), weights=published_, quantization=said)


def fixed(batch: int, scale: float = RESTLESS, width: int = WIDTH, forms: Any = None, **sizes: int) -> Any:
    """For a batch of one size, of steps of any length or, by `sizes`, of one."""
    published_ = original(scale, width)
    step = Step(models.llama(published_.config.to_dict(), capacity=48), sizes={"batch": batch, **sizes})
    return trtnet.define(step, weights=published_, forms=forms or {})


@cache
def reference(capacity: int = 48, scale: float = RESTLESS, width: int = WIDTH) -> Any:
    return network(capacity, scale, width).reference()


def generator(
    capacity: int = 48, tokenizer: Any = None, scale: float = RESTLESS, width: int = WIDTH, **options: Any
) -> Generator:
    return Generator(reference(capacity, scale, width), tokenizer, **options)


def greedy(prompt: list[int], count: int) -> list[int]:
    """What transformers' model says."""
    return greedy_of(original(), prompt, count)


def greedy_of(model: Any, prompt: list[int], count: int, end: int | None = None) -> list[int]:
    """The most likely tokens up to `end`, each by the whole sequence before it."""
    tokens = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
            if tokens[-1] == end:
                return tokens[len(prompt) : -1]
    return tokens[len(prompt) :]
