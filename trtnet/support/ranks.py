"""Which part of a network an engine or reference is, of one that several ranks compute together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from trtnet.support.call_interface import TensorInfo


@dataclass(frozen=True)
class Rank:
    """rank: of how many ranks. divided: the axis of inputs and outputs of which each rank has a part, by name."""

    rank: int = 0
    ranks: int = 1
    divided: Mapping[str, int] = field(default_factory=dict)

    def whole(self, info: TensorInfo) -> TensorInfo:
        """An input or output as it is of all ranks together."""
        axis = self.divided.get(info.name)
        size = None if axis is None else info.shape[axis]
        if axis is None or not isinstance(size, int):
            return info
        return replace(info, shape=(*info.shape[:axis], size * self.ranks, *info.shape[axis + 1 :]))
