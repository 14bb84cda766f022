"""Prompts in parts, each of which is a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trtnet.generation.caches import Array

LEAST = 8
"""The fewest tokens of a prompt that an engine is given."""


class Part(NamedTuple):
    """A step. at: where it begins. ids: [prompts, length]; places: [prompts, 1], where in it the last tokens of those
    prompts are that end here; ends: which these are.
    """

    at: int
    ids: Array
    places: Array
    ends: Array


@dataclass(frozen=True)
class Parts:
    """How prompts are cut. chunk: the most tokens of a step. capacity: of the caches. length: that each step of several
    tokens has, 0 for any. pads: whether steps have zeros behind their tokens, to a power of two: TensorRT-RTX compiles
    kernels for each length.
    """

    chunk: int
    capacity: int
    length: int = 0
    pads: bool = False

    def of(self, prompts: Sequence[Sequence[int]]) -> Iterator[Part]:
        """The steps that put prompts into the caches, which hold them.

        What shorter prompts have in the place of others, and the zeros, are overwritten before they are read.
        """
        ids = np.zeros((len(prompts), self.capacity), np.int64)
        for row, prompt in zip(ids, prompts, strict=True):
            row[: len(prompt)] = prompt
        lengths = np.array([len(prompt) for prompt in prompts])
        whole = int(lengths.max())
        for start in range(0, whole, self.chunk):
            width = self._width(min(self.chunk, whole - start), start)
            at = min(start, self.capacity - width)
            last = lengths - 1 - at
            ends = (last >= start - at) & (last < width)
            yield Part(at, ids[:, at : at + width], last.clip(0, width - 1)[:, None], ends)

    def _width(self, count: int, start: int) -> int:
        """Tokens of a step that has so many of prompts."""
        if count == 1 or not (self.pads or self.length):
            return count
        return self.length or min(max(LEAST, 1 << (count - 1).bit_length()), self.chunk, self.capacity - start)
