"""What of a network is the part of one of several ranks, which compute it together: tensor parallelism."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trtnet.graph.memory.storage import StoredTensor
from trtnet.graph.memory.weight import DeclaredWeight, Weight
from trtnet.support.ranks import Rank
from trtnet.support.text.counted import counted

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """A rank's part of a weight: a slice of each of `blocks` equal blocks along an axis.

    Queries, keys and values in one weight are three blocks: a rank gets some heads of each.
    """

    axis: int
    blocks: int
    rank: int
    ranks: int

    def size(self, whole: int) -> int:
        """The size of the axis that a rank has."""
        return whole // self.ranks

    def fits(self, whole: int) -> bool:
        """Whether every rank gets as much of every block."""
        return whole % (self.ranks * self.blocks) == 0

    def shape(self, whole: tuple[int, ...]) -> tuple[int, ...]:
        """That of the part."""
        return tuple(self.size(n) if axis == self.axis else n for axis, n in enumerate(whole))

    def of(self, whole: Array) -> Array:
        """The part."""
        blocks = np.split(whole, self.blocks, self.axis)
        own = [np.split(block, self.ranks, self.axis)[self.rank] for block in blocks]
        return np.ascontiguousarray(own[0] if len(own) == 1 else np.concatenate(own, self.axis))


@dataclass
class Division:
    """Which part of a network a rank has.

    parts: of the weights that are divided. sums: the paths of modules whose products are sums over the ranks, by their
    weights. inputs, outputs: the axis of those that are divided, by name. check: what is an output of engines alone, by
    which they tell whether their collectives work. Every other weight and tensor is whole, and the same on all ranks.
    """

    ranks: int = 1
    rank: int = 0
    parts: dict[DeclaredWeight, Part] = field(default_factory=dict)
    sums: dict[DeclaredWeight, str] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    check: Any = None
    _tensors: set[Any] = field(default_factory=set)
    _weights: set[Weight] = field(default_factory=set)

    def of(self, weight: object) -> Part | None:
        """The part of a weight that the rank has; None of one that is whole."""
        return self.parts.get(weight) if isinstance(weight, DeclaredWeight) else None

    def is_sum(self, weight: object) -> bool:
        """Whether products with a weight are to be summed over the ranks."""
        return isinstance(weight, DeclaredWeight) and weight in self.sums

    def share(self, count: int, x: StoredTensor) -> int:
        """How many of `count` heads are in a tensor. Raises LayerError if the ranks do not divide them."""
        if not self.has(x):
            return count
        if count % self.ranks:
            x.network.fail(
                f"{counted(count, 'head does', 'heads do')} not divide among {counted(self.ranks, 'rank')}", {"x": x}
            )
        return count // self.ranks

    def has(self, value: object) -> bool:
        """Whether a tensor or weight is a part, another one on each rank."""
        if isinstance(value, StoredTensor):
            return value.current in self._tensors
        if isinstance(value, list | tuple):
            return any(map(self.has, value))
        return isinstance(value, Weight) and value in self._weights

    def note(self, operands: Iterable[object], results: Iterable[StoredTensor]) -> None:
        """What is computed from parts is a part."""
        if self.ranks > 1 and any(map(self.has, operands)):
            self.add(*results)

    def add(self, *tensors: StoredTensor) -> None:
        """Tensors are parts."""
        self._tensors.update(tensor.current for tensor in tensors)

    def add_weight(self, weight: Weight) -> None:
        """A weight is a part."""
        self._weights.add(weight)

    def summed(self, tensor: StoredTensor) -> None:
        """A tensor is whole again."""
        self._tensors.discard(tensor.current)

    @property
    def described(self) -> Rank:
        """The same for those who know neither weights nor tensors."""
        return Rank(self.rank, self.ranks, self.inputs | self.outputs)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Parameters have the shapes of the parts within."""
        whole: Mapping[DeclaredWeight, tuple[int, ...]] = {weight: weight.shape for weight in self.parts}
        try:
            for weight, part in self.parts.items():
                weight.shape = part.shape(whole[weight])
            yield
        finally:
            for weight, shape in whole.items():
                weight.shape = shape
