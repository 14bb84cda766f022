"""Tensors of random numbers that a module makes when it is called: a network would have the same ones at every call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from trtnet.support.errors import ModelError
from trtnet.support.source import here

_RANDOM = """
rand rand_like randn randn_like randint randint_like randperm normal bernoulli multinomial poisson binomial
uniform_ normal_ bernoulli_ random_ exponential_ geometric_ cauchy_ log_normal_
"""
RANDOM = frozenset(_RANDOM.split())
"""torch's functions whose results are others at each call."""


class Randomness:
    """Which tensors are random, or were computed from random ones. They may be made: not all are used in eval mode."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[torch.Tensor, str]] = {}

    def note(self, name: str, operands: Iterable[Any], result: Any) -> None:
        """Notes whether a function's result is random."""
        names = [name] if name in RANDOM else [self._made[id(x)][1] for x in operands if id(x) in self._made]
        for tensor in result if isinstance(result, list | tuple) else (result,):
            if names and isinstance(tensor, torch.Tensor):
                self._made[id(tensor)] = tensor, names[0]

    def check(self, tensor: torch.Tensor) -> None:
        """Raises ModelError for a random tensor, which would be a constant of the network."""
        if id(tensor) in self._made:
            name = self._made[id(tensor)][1]
            text = f"what torch.{name} makes is random at every call: give the random numbers as an input"
            raise ModelError(here(f"{text}, or use ops.rand and ops.randn"))
