"""A batch that is put together in a slot's page-locked memory, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtnet.runtime.serving.samples import Kind
from trtnet.runtime.serving.slot import Arrays, Slot
from trtnet.support.call_interface import returned


class Rows:
    """The rows of a batch of one kind of samples."""

    def __init__(self, slot: Slot, kind: Kind) -> None:
        self.slot, self.kind, self.count = slot, kind, 0
        self._reserved = kind.rows(kind.limit)
        self._places = slot.reserve(kind.like(self._reserved))

    @property
    def full(self) -> bool:
        return self.count == self.kind.limit

    def add(self, arrays: Mapping[str, Any]) -> None:
        """Copies a sample of the kind into the next row."""
        for name, place in self._places.items():
            place[self.count] = arrays[name]
        self.count += 1

    def close(self) -> None:
        """Makes the batch as small as the profiles allow; rows that it has beyond the samples are zero."""
        rows = self.kind.rows(self.count)
        if rows != self._reserved:
            self._places = self.slot.reserve(self.kind.like(rows))
        for place in self._places.values():
            place[self.count :] = 0

    def split(self, outputs: Arrays) -> list[Any]:
        """Each sample's own outputs, copied: an array, or several as ``NamedOutputs``."""
        rows = range(self.count)
        return [returned({name: batch[row, ...].copy() for name, batch in outputs.items()}) for row in rows]
