"""The tensors that one quantized weight is stored as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint, TensorSpec
from trtnet.support.dtypes import DType
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted


@dataclass(frozen=True)
class Parts:
    """The tensors of one module: those of a checkpoint whose keys begin with a stem, ``layers.0.up.``."""

    checkpoint: Checkpoint
    stem: str

    @property
    def module(self) -> str:
        """Its path: what the stem says before its last sign."""
        return self.stem[:-1]

    def __contains__(self, name: str) -> bool:
        return self.stem + name in self.checkpoint

    def spec(self, name: str) -> TensorSpec:
        """The shape and dtype of one. Raises CheckpointError where it is missing."""
        if name not in self:
            raise CheckpointError(
                f"{self.checkpoint.name}: {self.stem}{name} is missing, without which {self.stem}* cannot be read."
                f" Is a shard missing?"
            )
        return self.checkpoint.info(self.stem + name)

    def read(self, name: str) -> Array:
        """One of them. Raises as spec."""
        self.spec(name)
        return self.checkpoint[self.stem + name]

    def optional(self, name: str) -> Array | None:
        """One of them, None where there is none."""
        return self.read(name) if name in self else None

    def number(self, name: str) -> float:
        """One that is a single number. Raises CheckpointError for several."""
        array = self.read(name)
        if array.size != 1:
            raise self.wrong(f"{name} is one number, found {list(array.shape)}")
        return float(array.astype(np.float32).reshape(()))

    def above_0(self, name: str) -> float:
        """One that is a single number above 0. Raises CheckpointError for another."""
        found = self.number(name)
        if not (math.isfinite(found) and found > 0):
            raise self.wrong(f"{name} is a number above 0, found {found}. Export the checkpoint again")
        return found

    def whole(self, name: str, stored: Array, bits: int) -> Array:
        """What is stored under a name as signed integers of so many bits, int16.

        Raises CheckpointError for what is none: NaN, fractions, larger numbers.
        """
        exact, half = stored if stored.dtype.kind in "iu" else stored.astype(np.float32), 1 << (bits - 1)
        fits = (exact >= -half) & (exact < half)
        if exact.dtype.kind == "f":
            fits &= exact == np.rint(exact)
        if not fits.all():
            raise self.wrong(f"{name} is whole numbers from {-half} to {half - 1}, found {exact[~fits][0]:g}")
        return exact.astype(np.int16)

    def check(self, name: str, *kinds: DType, rank: int = 0) -> TensorSpec:
        """The shape and dtype of one. kinds: what dtypes it may have, all floats if none; rank: its axes, 0 for any.

        Raises CheckpointError for another, and as spec.
        """
        spec = self.spec(name)
        if spec.dtype not in kinds if kinds else not spec.dtype.is_floating:
            raise self.wrong(f"{name} is {' or '.join(map(str, kinds)) or 'of floats'}, found {spec.dtype}")
        if rank and len(spec.shape) != rank:
            raise self.wrong(f"{name} has {counted(rank, 'axis', 'axes')}, found {list(spec.shape)}")
        return spec

    def keys(self, names: Sequence[str]) -> tuple[str, ...]:
        """The keys of those that are there."""
        return tuple(self.stem + name for name in names if name in self)

    def wrong(self, text: str) -> CheckpointError:
        """An error about these tensors."""
        return CheckpointError(f"{self.checkpoint.name}: {self.stem.rstrip('._')}: {text}")


ATTENTION_INPUTS = "in_proj_"
"""What torch's MultiheadAttention calls the product for queries, keys and values, before "weight"."""


def modules(checkpoint: Checkpoint, name: str) -> Iterator[Parts]:
    """The modules that have a tensor of this name, and what is such a module in an attention of torch's."""
    for key in checkpoint:
        stem, last = key[: len(key) - len(name)], key[len(key) - len(name) :]
        if last == name and (not stem or stem.endswith((".", f".{ATTENTION_INPUTS}")) or stem == ATTENTION_INPUTS):
            yield Parts(checkpoint, stem)
