"""Rules that give tensors other keys: one for one, several for one, or one for several."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from trtnet.checkpoint.base import TensorSpec
from trtnet.checkpoint.quantized import rows
from trtnet.checkpoint.rules.lazy_tensors import Lazy, Tensors
from trtnet.checkpoint.rules.pattern import expand, turned
from trtnet.checkpoint.rules.rule import KeyRule, Nothing, Rule, need, put
from trtnet.support.errors import CheckpointError

Moves = dict[tuple[str, ...], tuple[str, ...]]
"""The keys that are taken -> those that are made of them."""


@dataclass(frozen=True)
class Move(KeyRule):
    """A template stands in the place of what matched; the text around it stays.

    source: matches the first of the keys that are taken; others: templates of the others, into: of those made.
    dim: the axis along which tensors are split or merged. one_way: what is made stays on the way back.
    """

    doing: ClassVar[str]
    into: tuple[str, ...]
    others: tuple[str, ...] = ()
    dim: int = 0
    one_way: bool = False

    @abstractmethod
    def _made(self, parts: list[Lazy], keys: tuple[str, ...]) -> list[Lazy]:
        """The tensors that are made of some."""

    def apply(self, tensors: Tensors) -> Tensors:
        moves = self._moves(tensors)
        taken = self._taken(tensors, moves)
        result: Tensors = {}
        what = f"{self.doing} '{self.source.text}'"
        for key, lazy in tensors.items():
            if key not in taken:
                put(result, key, lazy, what)
            elif key == taken[key][0]:
                made = self._made([tensors[k] for k in taken[key]], taken[key])
                for name, one in zip(moves[taken[key]], made, strict=True):
                    put(result, name, one, what)
        self._check_way_back(moves, result)
        return result

    def _moves(self, keys: Iterable[str]) -> Moves:
        moves = {}
        for key in keys:
            if match := self.source.search(key):
                before, after = key[: match.start()], key[match.end() :]
                others, into = (
                    tuple(before + expand(match, template) + after for template in templates)
                    for templates in (self.others, self.into)
                )
                moves[key, *others] = into
        return moves

    def _taken(self, tensors: Tensors, moves: Moves) -> dict[str, tuple[str, ...]]:
        """A key -> those that it is taken with."""
        taken: dict[str, tuple[str, ...]] = {}
        for keys in moves:
            need(tensors, keys, f"a rule takes it with {keys[0]}")
            for key in keys:
                if taken.setdefault(key, keys) is not keys or keys.count(key) > 1:
                    raise CheckpointError(f"{self.doing} '{self.source.text}' takes {key} twice")
        return taken

    def _check_way_back(self, moves: Moves, result: Tensors) -> None:
        """Raises CheckpointError where what undoes the rule would give a key another name than it had."""
        back = self.inverse()
        if not isinstance(back, Move):
            return
        found, wanted = back._moves(result), {into: keys for keys, into in moves.items()}
        wrong = [keys for keys in found.keys() | wanted.keys() if found.get(keys) != wanted.get(keys)]
        if wrong:
            first = min(wrong)
            raise CheckpointError(
                f"{self.doing} '{self.source.text}' could not be undone: {first[0]} would become"
                f" {', '.join(found.get(first, first[:1]))} on the way back. Make the pattern narrower"
                f" (^ and $ are the ends of a key), or say one_way = true if no way back is needed"
            )


@dataclass(frozen=True)
class Rename(Move):
    """The part of a key that matches becomes the template. one_way: old names for new ones, which stay."""

    doing = "renaming"

    def _made(self, parts: list[Lazy], keys: tuple[str, ...]) -> list[Lazy]:
        return parts

    def inverse(self) -> Rule | None:
        if self.one_way:
            return Nothing()
        back = turned(self.source, self.into)
        return None if back is None else Rename(back[0], tuple(back[1]))


@dataclass(frozen=True)
class Split(Move):
    """One tensor becomes several along an axis. sizes: of each, if they are not equal."""

    doing = "splitting"
    sizes: tuple[int, ...] = ()

    def _made(self, parts: list[Lazy], keys: tuple[str, ...]) -> list[Lazy]:
        (lazy,), shape, n = parts, parts[0].spec.shape, len(self.into)
        size = shape[self.dim] if -len(shape) <= self.dim < len(shape) else -1
        sizes = self.sizes or (size // n,) * n
        if size < 0 or sum(sizes) != size:
            what = f"sizes {list(self.sizes)}" if self.sizes else f"{n} of equal size"
            hint = "" if self.sizes or size < 0 else "; sizes = [...] says others"
            raise CheckpointError(f"{keys[0]} {list(shape)} cannot be split into {what} along dim {self.dim}{hint}")
        return [self._part(lazy, end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]

    def _part(self, lazy: Lazy, begin: int, end: int) -> Lazy:
        shape = _resized(lazy.spec.shape, self.dim, end - begin)
        kept = rows.part(lazy.quantized, begin, end) if lazy.quantized is not None and self.dim == 0 else None
        return lazy.changed(shape, lambda x: np.take(x, range(begin, end), self.dim), kept)

    def inverse(self) -> Rule | None:
        if self.one_way:
            return Nothing()
        back = turned(self.source, self.into)
        return None if back is None else Merge(back[0], (back[1][0],), tuple(back[1][1:]), self.dim, sizes=self.sizes)


@dataclass(frozen=True)
class Merge(Move):
    """Several tensors become one along an axis; of equal sizes, so that the way back finds them, unless one_way.

    sizes: of each along the axis, if they are not equal: with them the way back finds them too.
    """

    doing = "merging"
    sizes: tuple[int, ...] = ()

    def _made(self, parts: list[Lazy], keys: tuple[str, ...]) -> list[Lazy]:
        first, dim = parts[0].spec, self.dim
        rank, found = len(first.shape), ", ".join(str(part.spec) for part in parts)
        same = all(p.spec.dtype == first.dtype and len(p.spec.shape) == rank for p in parts)
        if not same or not -rank <= dim < rank or len({_resized(p.spec.shape, dim, 0) for p in parts}) > 1:
            raise CheckpointError(f"{keys[0]} and what a rule merges it with differ: {found}")
        sizes = [part.spec.shape[dim] for part in parts]
        if self.sizes and tuple(sizes) != self.sizes:
            raise CheckpointError(f"{keys[0]} and what a rule merges it with have the sizes {sizes}, not {self.sizes}")
        if len(set(sizes)) > 1 and not self.one_way and not self.sizes:
            raise CheckpointError(
                f"{keys[0]} and what a rule merges it with have different sizes along dim {dim}: {found}. They would be"
                f" split equally on the way back; say sizes = {sizes}, or one_way = true if no way back is needed"
            )
        spec = TensorSpec(_resized(first.shape, dim, sum(sizes)), first.dtype)
        weights = [part.quantized for part in parts if part.quantized is not None]
        kept = rows.joined(weights) if dim == 0 and len(weights) == len(parts) else None
        return [Lazy(spec, lambda: np.concatenate([part.read() for part in parts], dim), quantized=kept, of=parts)]

    def inverse(self) -> Rule | None:
        if self.one_way:
            return Nothing()
        back = turned(self.source, [*self.into, *self.others])
        return None if back is None else Split(back[0], tuple(back[1]), (), self.dim, sizes=self.sizes)


def _resized(shape: tuple[int, ...], dim: int, size: int) -> tuple[int, ...]:
    """`shape` with another size along `dim`."""
    return tuple(size if a == dim % len(shape) else s for a, s in enumerate(shape))
