"""What every rule is: it makes other tensors of some, and knows the rule that undoes it, if there is one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from trtnet.checkpoint.nearest import nearest
from trtnet.checkpoint.rules.lazy_tensors import Lazy, Tensors
from trtnet.checkpoint.rules.pattern import Pattern
from trtnet.support.errors import CheckpointError


@dataclass(frozen=True)
class Rule(ABC):
    """One step of a conversion. optional: some checkpoints have nothing for it."""

    optional: bool = field(default=False, kw_only=True)

    @abstractmethod
    def apply(self, tensors: Tensors) -> Tensors:
        """The tensors after the rule; reads no data. Raises CheckpointError where it does not fit."""

    def sought(self, tensors: Tensors) -> str | None:
        """What the rule is for, where no key is of it; None where it finds one."""
        return None

    def inverse(self) -> Rule | None:
        """The rule that undoes this one; None where it loses something."""
        return None


@dataclass(frozen=True)
class KeyRule(Rule):
    """A rule for the keys that a pattern matches."""

    source: Pattern

    def sought(self, tensors: Tensors) -> str | None:
        return None if any(map(self.source.search, tensors)) else f"'{self.source.text}'"


class Nothing(Rule):
    """Changes nothing: what undoes a rule whose loss does not matter."""

    def apply(self, tensors: Tensors) -> Tensors:
        return tensors

    def inverse(self) -> Rule | None:
        return self


def applied(rule: Rule, tensors: Tensors) -> Tensors:
    """The tensors after a rule. Raises CheckpointError where it does not fit, or finds nothing and is not optional."""
    sought = None if rule.optional else rule.sought(tensors)
    if sought is not None:
        near = ", ".join(nearest(sought, tensors)) or "there are none"
        raise CheckpointError(
            f"no key matches {sought}; nearest: {near}. Correct the rule, or say optional = true if it is for some"
            f" checkpoints only"
        )
    return rule.apply(tensors)


def need(tensors: Tensors, keys: Iterable[str], why: str) -> None:
    """Raises CheckpointError for the first missing key."""
    if missing := [key for key in keys if key not in tensors]:
        raise CheckpointError(f"{missing[0]} is missing: {why}")


def put(tensors: Tensors, key: str, lazy: Lazy, what: str) -> None:
    """Adds a tensor. Raises CheckpointError where there is one of that key."""
    if key in tensors:
        raise CheckpointError(f"{what} makes {key}, which already exists")
    tensors[key] = lazy


def each(tensors: Tensors, source: Pattern) -> Iterator[tuple[str, Lazy, re.Match[str] | None]]:
    """(key, tensor, match or None) of every tensor."""
    return ((key, lazy, source.search(key)) for key, lazy in tensors.items())
