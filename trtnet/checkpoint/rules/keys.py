"""Rules on keys and whole tensors: prefixes, what is left out, what is added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trtnet.checkpoint.base import TensorSpec
from trtnet.checkpoint.rules.lazy_tensors import Lazy, Tensors
from trtnet.checkpoint.rules.pattern import expand
from trtnet.checkpoint.rules.rule import KeyRule, Nothing, Rule, each, put
from trtnet.checkpoint.wrappers import WRAPPERS, unwrapped
from trtnet.support.errors import CheckpointError


@dataclass(frozen=True)
class Prefix(Rule):
    """Adds a prefix to every key, or strips it: then every key must have it, unless it is optional."""

    prefix: str
    strip: bool

    def apply(self, tensors: Tensors) -> Tensors:
        if not self.strip:
            return {self.prefix + key: lazy for key, lazy in tensors.items()}
        without = [key for key in tensors if not key.startswith(self.prefix)]
        if without and self.optional:
            return tensors
        if without:
            raise CheckpointError(
                f"{without[0]} does not begin with {self.prefix!r}, which a rule strips: drop it before, or say"
                f" optional = true, which strips the prefix only from files that have it everywhere"
            )
        return {key.removeprefix(self.prefix): lazy for key, lazy in tensors.items()}

    def inverse(self) -> Rule | None:
        return Nothing() if self.optional else Prefix(self.prefix, not self.strip)


@dataclass(frozen=True)
class Unwrap(Rule):
    """Leaves the names of wrappers out of keys, at the beginning and inside: see :mod:`trtnet.checkpoint.wrappers`."""

    names: tuple[str, ...] = WRAPPERS

    def sought(self, tensors: Tensors) -> str | None:
        wrapped = any(unwrapped(key, self.names) != key for key in tensors)
        return None if wrapped else f"the name of a wrapper ({', '.join(self.names)})"

    def apply(self, tensors: Tensors) -> Tensors:
        result: Tensors = {}
        for key, lazy in tensors.items():
            put(result, unwrapped(key, self.names), lazy, "unwrapping")
        return result

    def inverse(self) -> Rule | None:
        return Nothing()


@dataclass(frozen=True)
class Drop(KeyRule):
    """Leaves out the tensors whose key matches: buffers, heads that inference has no use for."""

    def apply(self, tensors: Tensors) -> Tensors:
        return {key: lazy for key, lazy, match in each(tensors, self.source) if match is None}

    def inverse(self) -> Rule | None:
        return Nothing()


@dataclass(frozen=True)
class Tie(Rule):
    """A key that a checkpoint leaves out because it is another's tensor."""

    key: str
    to: str

    def sought(self, tensors: Tensors) -> str | None:
        return None if self.to in tensors else repr(self.to)

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

    def sought(self, tensors: Tensors) -> str | None:
        return None if self.to in tensors else repr(self.to)

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
class Fill(KeyRule):
    """A tensor missing from the checkpoint, of one value: for each key that matches, named by the template.

    shape: sizes, or ``"dim0"``, ``"dim1"`` of the tensor that matched.
    """

    to: str
    shape: tuple[int | str, ...]
    value: float = 0.0

    def apply(self, tensors: Tensors) -> Tensors:
        result = dict(tensors)
        for key, lazy, match in each(tensors, self.source):
            name = expand(match, self.to) if match is not None else None
            if name is None or name in tensors:
                continue
            try:
                shape = tuple(s if isinstance(s, int) else lazy.spec.shape[int(s[3:])] for s in self.shape)
            except (IndexError, ValueError) as error:
                raise CheckpointError(f"{key} has no {self.shape}: a rule fills {name} by it") from error
            dtype = lazy.spec.dtype
            made = Lazy(TensorSpec(shape, dtype), lambda s=shape, d=dtype: np.full(s, self.value).astype(d.numpy))  # type: ignore[misc]
            put(result, name, made, "filling")
        return result

    def inverse(self) -> Rule | None:
        return Unfill(self)


@dataclass(frozen=True)
class Unfill(Rule):
    """Leaves out what a Fill has made, if it is still that."""

    fill: Fill

    def sought(self, tensors: Tensors) -> str | None:
        return self.fill.sought(tensors)

    def apply(self, tensors: Tensors) -> Tensors:
        matches = (match for _, _, match in each(tensors, self.fill.source))
        names = {expand(match, self.fill.to) for match in matches if match is not None}
        for name in names & tensors.keys():
            if bool((tensors[name].read() != self.fill.value).any()):
                raise CheckpointError(f"{name} is not all {self.fill.value}, so leaving it out would lose values")
        return {key: lazy for key, lazy in tensors.items() if key not in names}

    def inverse(self) -> Rule | None:
        return self.fill
