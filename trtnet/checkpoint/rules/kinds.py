"""The kinds of rules. Each makes other tensors of some, and knows the rule that undoes it, if there is one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.checkpoint.base import Array, TensorSpec
from trtnet.checkpoint.rules.lazy import Lazy, Tensors
from trtnet.checkpoint.rules.pattern import Pattern, expand, turned
from trtnet.errors import CheckpointError


class Rule(ABC):
    """One step of a conversion."""

    @abstractmethod
    def apply(self, tensors: Tensors) -> Tensors:
        """The tensors after the rule; reads no data. Raises CheckpointError where it does not fit."""

    def inverse(self) -> Rule | None:
        """The rule that undoes this one; None where it loses something."""
        return None


def need(tensors: Tensors, keys: list[str], why: str) -> None:
    """Raises CheckpointError for the first key that there is not."""
    if missing := [key for key in keys if key not in tensors]:
        raise CheckpointError(f"{missing[0]} is missing: {why}")


def _put(tensors: Tensors, key: str, lazy: Lazy, what: str) -> None:
    if key in tensors:
        raise CheckpointError(f"{what} makes {key}, which is there already")
    tensors[key] = lazy


def _each(tensors: Tensors, source: Pattern) -> Iterator[tuple[str, Lazy, Any]]:
    """(key, tensor, match or None) of every tensor."""
    return ((key, lazy, source.regex.search(key)) for key, lazy in tensors.items())


@dataclass(frozen=True)
class Rename(Rule):
    """The part of a key that matches becomes the template. one_way: old names for new ones, which stay."""

    source: Pattern
    to: str
    one_way: bool = False

    def apply(self, tensors: Tensors) -> Tensors:
        result: Tensors = {}
        for key, lazy, match in _each(tensors, self.source):
            name = key if match is None else key[: match.start()] + expand(match, self.to) + key[match.end() :]
            _put(result, name, lazy, f"renaming {self.source.text!r}")
        return result

    def inverse(self) -> Rule | None:
        if self.one_way:
            return Nothing()
        back = turned(self.source, [self.to])
        return None if back is None else Rename(back[0], back[1][0])


@dataclass(frozen=True)
class Nothing(Rule):
    """Changes nothing: what undoes a rule whose loss does not matter."""

    def apply(self, tensors: Tensors) -> Tensors:
        return tensors

    def inverse(self) -> Rule | None:
        return self


@dataclass(frozen=True)
class Prefix(Rule):
    """Adds a prefix to every key, or strips it: then every key must have it, unless it is optional."""

    prefix: str
    strip: bool
    optional: bool = False

    def apply(self, tensors: Tensors) -> Tensors:
        if not self.strip:
            return {self.prefix + key: lazy for key, lazy in tensors.items()}
        without = [key for key in tensors if not key.startswith(self.prefix)]
        if without and self.optional:
            return tensors
        if without:
            raise CheckpointError(f"{without[0]} does not begin with {self.prefix!r}, which a rule strips")
        return {key.removeprefix(self.prefix): lazy for key, lazy in tensors.items()}

    def inverse(self) -> Rule | None:
        return Nothing() if self.optional else Prefix(self.prefix, not self.strip)


@dataclass(frozen=True)
class Drop(Rule):
    """Leaves out the tensors whose key matches: buffers, heads that inference has no use for."""

    source: Pattern

    def apply(self, tensors: Tensors) -> Tensors:
        return {key: lazy for key, lazy, match in _each(tensors, self.source) if match is None}

    def inverse(self) -> Rule | None:
        return Nothing()


@dataclass(frozen=True)
class Tie(Rule):
    """A key that a checkpoint leaves out because it is another's tensor."""

    key: str
    to: str

    def apply(self, tensors: Tensors) -> Tensors:
        if self.to not in tensors or self.key in tensors:
            return tensors
        return tensors | {self.key: tensors[self.to]}

    def inverse(self) -> Rule | None:
        return Untie(self.key, self.to)


@dataclass(frozen=True)
class Untie(Rule):
    """Leaves out a key that is another's tensor. Raises CheckpointError where the two differ."""

    key: str
    to: str

    def apply(self, tensors: Tensors) -> Tensors:
        if self.key not in tensors or self.to not in tensors:
            return tensors
        ours, theirs = tensors[self.key], tensors[self.to]
        if ours.spec != theirs.spec or ours.read().tobytes() != theirs.read().tobytes():
            raise CheckpointError(f"{self.key} is not {self.to}: they cannot be tied")
        return {key: lazy for key, lazy in tensors.items() if key != self.key}

    def inverse(self) -> Rule | None:
        return Tie(self.key, self.to)


@dataclass(frozen=True)
class Split(Rule):
    """One tensor becomes several along an axis, of equal sizes."""

    source: Pattern
    into: tuple[str, ...]
    dim: int = 0

    def apply(self, tensors: Tensors) -> Tensors:
        result: Tensors = {}
        for key, lazy, match in _each(tensors, self.source):
            if match is None:
                _put(result, key, lazy, "splitting")
                continue
            shape, n = lazy.spec.shape, len(self.into)
            if not -len(shape) <= self.dim < len(shape) or shape[self.dim] % n:
                raise CheckpointError(f"{key} {list(shape)} cannot be split into {n} along dim {self.dim}")
            part = _resized(shape, self.dim, shape[self.dim] // n)
            for index, name in enumerate(self.into):
                piece = lazy.changed(part, lambda x, i=index, n=n: np.split(x, n, self.dim)[i])  # type: ignore[misc]
                _put(result, expand(match, name), piece, f"splitting {key}")
        return result

    def inverse(self) -> Rule | None:
        back = turned(self.source, self.into)
        return None if back is None else Merge(back[0], tuple(back[1][1:]), back[1][0], self.dim)


@dataclass(frozen=True)
class Merge(Rule):
    """Several tensors become one along an axis; the others are named after the first, whose key the pattern matches."""

    source: Pattern
    others: tuple[str, ...]
    to: str
    dim: int = 0

    def apply(self, tensors: Tensors) -> Tensors:
        taken: set[str] = set()
        merged: Tensors = {}
        for key, _, match in _each(tensors, self.source):
            if match is None:
                continue
            keys = [key, *(expand(match, other) for other in self.others)]
            need(tensors, keys, f"a rule merges it with {key}")
            merged[expand(match, self.to)] = _joined([tensors[k] for k in keys], self.dim, key)
            taken.update(keys)
        rest = {key: lazy for key, lazy in tensors.items() if key not in taken}
        for key, lazy in merged.items():
            _put(rest, key, lazy, "merging")
        return rest

    def inverse(self) -> Rule | None:
        back = turned(self.source, [self.to, *self.others])
        return None if back is None else Split(back[0], tuple(back[1]), self.dim)


def _joined(parts: list[Lazy], dim: int, key: str) -> Lazy:
    first = parts[0].spec
    rank = len(first.shape)
    same = all(p.spec.dtype == first.dtype and len(p.spec.shape) == rank for p in parts)
    if not same or not -rank <= dim < rank or len({_resized(p.spec.shape, dim, 0) for p in parts}) > 1:
        raise CheckpointError(f"{key} and what a rule merges it with differ: {', '.join(str(p.spec) for p in parts)}")
    shape = _resized(first.shape, dim, sum(p.spec.shape[dim] for p in parts))
    return Lazy(TensorSpec(shape, first.dtype), lambda: np.concatenate([p.read() for p in parts], dim))


def _resized(shape: tuple[int, ...], dim: int, size: int) -> tuple[int, ...]:
    """`shape` with another size along `dim`."""
    return tuple(size if a == dim % len(shape) else s for a, s in enumerate(shape))


@dataclass(frozen=True)
class Transpose(Rule):
    """Two axes exchanged: GPT-2 stores its linear layers as [in, out]."""

    source: Pattern

    def apply(self, tensors: Tensors) -> Tensors:
        return _mapped(tensors, self.source, lambda s: s[::-1], lambda x: x.T, rank=2)

    def inverse(self) -> Rule | None:
        return self


@dataclass(frozen=True)
class Reshape(Rule):
    """Another shape; 0 keeps a size, -1 is what is left. back: the shape it had, for the way back."""

    source: Pattern
    shape: tuple[int, ...]
    back: tuple[int, ...] = ()

    def apply(self, tensors: Tensors) -> Tensors:
        def target(shape: tuple[int, ...]) -> tuple[int, ...]:
            sizes = [shape[i] if s == 0 and i < len(shape) else s for i, s in enumerate(self.shape)]
            known = math.prod(s for s in sizes if s != -1)
            count = math.prod(shape)
            if sizes.count(-1) > 1 or min(sizes, default=1) < -1 or known == 0 or count % known:
                raise CheckpointError(f"{list(shape)} cannot be reshaped to {list(self.shape)}")
            result = tuple(count // known if s == -1 else s for s in sizes)
            if math.prod(result) != count:
                raise CheckpointError(f"{list(shape)} cannot be reshaped to {list(self.shape)}")
            return result

        return _mapped(tensors, self.source, target, lambda x: x.reshape(target(x.shape)))

    def inverse(self) -> Rule | None:
        return Reshape(self.source, self.back, self.shape) if self.back else None


@dataclass(frozen=True)
class Slice(Rule):
    """What begins at `start` along the first axis; the rest is lost."""

    source: Pattern
    start: int

    def apply(self, tensors: Tensors) -> Tensors:
        return _mapped(
            tensors, self.source, lambda s: (max(s[0] - self.start, 0), *s[1:]), lambda x: x[self.start :], rank=None
        )


@dataclass(frozen=True)
class Fill(Rule):
    """A tensor the checkpoint has not, of one value: for each key that matches, named by the template.

    shape: sizes, or ``"dim0"``, ``"dim1"`` of the tensor that matched.
    """

    source: Pattern
    to: str
    shape: tuple[int | str, ...]
    value: float = 0.0

    def apply(self, tensors: Tensors) -> Tensors:
        result = dict(tensors)
        for key, lazy, match in _each(tensors, self.source):
            name = expand(match, self.to) if match is not None else None
            if name is None or name in tensors:
                continue
            try:
                shape = tuple(s if isinstance(s, int) else lazy.spec.shape[int(s[3:])] for s in self.shape)
            except (IndexError, ValueError) as error:
                raise CheckpointError(f"{key} has no {self.shape}: a rule fills {name} by it") from error
            dtype = lazy.spec.dtype
            made = Lazy(TensorSpec(shape, dtype), lambda s=shape, d=dtype: np.full(s, self.value).astype(d.numpy))  # type: ignore[misc]
            _put(result, name, made, "filling")
        return result

    def inverse(self) -> Rule | None:
        return Unfill(self)


@dataclass(frozen=True)
class Unfill(Rule):
    """Leaves out what a Fill has made, if it is still that."""

    fill: Fill

    def apply(self, tensors: Tensors) -> Tensors:
        matches = (match for _, _, match in _each(tensors, self.fill.source))
        names = {expand(match, self.fill.to) for match in matches if match is not None}
        for name in names & tensors.keys():
            if bool((tensors[name].read() != self.fill.value).any()):
                raise CheckpointError(f"{name} is not all {self.fill.value}: the other form has no place for it")
        return {key: lazy for key, lazy in tensors.items() if key not in names}

    def inverse(self) -> Rule | None:
        return self.fill


@dataclass(frozen=True)
class Rotary(Rule):
    """Rows of a projection from the half layout of rotary pairs (i, i + dim / 2) to the interleaved (2i, 2i + 1).

    head_dim: rows a head. interleave: which way.
    """

    source: Pattern
    head_dim: int
    interleave: bool = True

    def apply(self, tensors: Tensors) -> Tensors:
        def permuted(x: Array) -> Array:
            heads = x.shape[0] // self.head_dim
            pairs = (2, self.head_dim // 2) if self.interleave else (self.head_dim // 2, 2)
            return x.reshape(heads, *pairs, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)

        def same(shape: tuple[int, ...]) -> tuple[int, ...]:
            if not shape or self.head_dim < 2 or self.head_dim % 2 or shape[0] % self.head_dim:
                raise CheckpointError(f"{list(shape)} has no heads of {self.head_dim} rows")
            return shape

        return _mapped(tensors, self.source, same, permuted)

    def inverse(self) -> Rule | None:
        return Rotary(self.source, self.head_dim, not self.interleave)


def _mapped(tensors: Tensors, source: Pattern, shape: Any, function: Any, rank: int | None = None) -> Tensors:
    """The tensors whose key matches, changed; the others as they are."""
    result: Tensors = {}
    for key, lazy, match in _each(tensors, source):
        if match is None:
            result[key] = lazy
            continue
        if (rank is not None and len(lazy.spec.shape) != rank) or not lazy.spec.shape:
            raise CheckpointError(f"{key} has {len(lazy.spec.shape)} dimensions: a rule does not fit it")
        result[key] = lazy.changed(tuple(shape(lazy.spec.shape)), function)
    return result
