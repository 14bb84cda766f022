"""What every rule is: it makes other tensors of some, and knows the rule that undoes it, if there is one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from trtnet.checkpoint.rules.lazy_tensors import Lazy, Tensors
from trtnet.checkpoint.rules.pattern import Pattern
from trtnet.support.errors import CheckpointError


class Rule(ABC):
    """One step of a conversion."""

    @abstractmethod
    def apply(self, tensors: Tensors) -> Tensors:
        """The tensors after the rule; reads no data. Raises CheckpointError where it does not fit."""

    def inverse(self) -> Rule | None:
        """The rule that undoes this one; None where it loses something."""
        return None


class Nothing(Rule):
    """Changes nothing: what undoes a rule whose loss does not matter."""

    def apply(self, tensors: Tensors) -> Tensors:
        return tensors

    def inverse(self) -> Rule | None:
        return self


def need(tensors: Tensors, keys: Iterable[str], why: str) -> None:
    """Raises CheckpointError for the first key that there is not."""
    if missing := [key for key in keys if key not in tensors]:
        raise CheckpointError(f"{missing[0]} is missing: {why}")


def put(tensors: Tensors, key: str, lazy: Lazy, what: str) -> None:
    """Adds a tensor. Raises CheckpointError where there is one of that key."""
    if key in tensors:
        raise CheckpointError(f"{what} makes {key}, which is there already")
    tensors[key] = lazy


def each(tensors: Tensors, source: Pattern) -> Iterator[tuple[str, Lazy, re.Match[str] | None]]:
    """(key, tensor, match or None) of every tensor."""
    return ((key, lazy, source.search(key)) for key, lazy in tensors.items())
