"""Where sizes come from that are known only when the engine runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class SizedTensor(Protocol):
    """What is asked of the tensor that a size is read from."""

    @property
    def network(self) -> Any: ...
    @property
    def trt(self) -> Any: ...
    def to(self, dtype: str, /) -> Any: ...


@dataclass(frozen=True)
class Axis:
    """Where a Dim is read from: axis `axis` of `tensor`."""

    tensor: SizedTensor
    axis: int


@dataclass(frozen=True)
class Value:
    """Where a Dim is read from: element `index` of `tensor`, integers of rank 1 or 0."""

    tensor: SizedTensor
    index: int


@dataclass(frozen=True)
class Arithmetic:
    """A size, or a float of sizes, computed from others. operation: the member of ``ElementWiseOperation``."""

    operation: str
    left: Any
    right: Any
