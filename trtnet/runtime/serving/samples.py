"""Single samples that become rows of a batch: what they must be, and how many of them a batch takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trtnet.builder.plan import PlanInfo
from trtnet.runtime.calls.arguments import kind_of
from trtnet.runtime.execution.profiles import ranges
from trtnet.support import dtypes
from trtnet.support.arrays import StaticShape
from trtnet.support.call_interface import TensorInfo, bind, check, is_torch
from trtnet.support.errors import InputError, ProfileError

KINDS = 256
"""How many kinds of samples are remembered."""


@dataclass(frozen=True, eq=False)
class Kind:
    """Samples that go together. batches: the sizes, (least, most), that profiles take with them; limit: the largest."""

    inputs: tuple[TensorInfo, ...]
    shapes: Mapping[str, StaticShape]
    batches: tuple[tuple[int, int], ...]
    limit: int
    _stand_ins: dict[int, dict[str, np.ndarray[Any, Any]]] = field(default_factory=dict)

    def rows(self, count: int) -> int:
        """The size of the batch that so many samples are run in: more than they are where no profile takes fewer."""
        return min(max(least, count) for least, most in self.batches if count <= most)

    def like(self, rows: int) -> Mapping[str, np.ndarray[Any, Any]]:
        """Arrays of the shapes and dtypes of such a batch, without its memory."""
        if rows not in self._stand_ins:
            self._stand_ins[rows] = {
                info.name: np.broadcast_to(np.empty((), dtypes.get(info.dtype).numpy), (rows, *self.shapes[info.name]))
                for info in self.inputs
            }
        return self._stand_ins[rows]


@dataclass(frozen=True)
class Sample:
    """One sample. arrays: by input name, without the batch axis."""

    kind: Kind
    arrays: Mapping[str, Any]


class Samples:
    """The samples that an engine takes, to be run up to `most` at a time.

    Raises InputError for an engine whose inputs and outputs have no batch axis in common, their first, and ProfileError
    if none of its profiles takes so many.
    """

    def __init__(self, info: PlanInfo, most: int) -> None:
        _check_axis(info)
        largest = max(shapes[2][0] for profile in info.profiles for shapes in profile.values())
        if not 1 <= most <= largest:
            raise ProfileError(f"a batch of {most} fits no optimization profile\n{ranges(info.profiles)}")
        self._info, self._most = info, most
        self._inputs = tuple(replace(info, shape=info.shape[1:]) for info in info.inputs)
        self._kinds: dict[tuple[Any, ...], Kind] = {}
        self._by_shapes: dict[tuple[StaticShape, ...], Kind] = {}

    def look(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sample:
        """A sample given as the arguments of a call. Raises InputError and ProfileError for one that does not fit."""
        arrays = bind(self._inputs, args, kwargs)
        key = tuple(map(kind_of, arrays.values()))
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) == KINDS:
                del self._kinds[next(iter(self._kinds))]
            kind = self._kinds[key] = self._examine(arrays)
        return Sample(kind, arrays)

    def _examine(self, arrays: Mapping[str, Any]) -> Kind:
        if any(is_torch(array) for array in arrays.values()):
            raise InputError("samples are numpy arrays; tensors on the GPU are a batch already: call the engine")
        check(self._inputs, arrays)
        shapes = {name: tuple(array.shape) for name, array in arrays.items()}
        key = tuple(shapes.values())
        if key not in self._by_shapes:
            batches = tuple(self._batches(shapes))
            if not batches:
                found = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
                raise ProfileError(
                    f"a batch of samples {found} fits no optimization profile\n{ranges(self._info.profiles)}"
                )
            limit = min(self._most, max(most for _, most in batches))
            self._by_shapes[key] = Kind(self._inputs, shapes, batches, limit)
        return self._by_shapes[key]

    def _batches(self, shapes: Mapping[str, StaticShape]) -> list[tuple[int, int]]:
        found = []
        for profile in self._info.profiles:
            low = {name: sizes[0] for name, sizes in profile.items()}
            high = {name: sizes[2] for name, sizes in profile.items()}
            if all(_within(low[name][1:], shape, high[name][1:]) for name, shape in shapes.items()):
                found.append((max(size[0] for size in low.values()), min(size[0] for size in high.values())))
        return [(least, most) for least, most in found if least <= most]


def _within(low: StaticShape, shape: StaticShape, high: StaticShape) -> bool:
    return all(a <= size <= b for a, size, b in zip(low, shape, high, strict=True))


def _check_axis(info: PlanInfo) -> None:
    tensors = (*info.inputs, *info.outputs)
    axes = {() if tensor.values else tensor.shape[:1] for tensor in tensors}
    if len(axes) > 1 or () in axes:
        raise InputError(
            f"single samples need a batch axis, the first of every input and output: {', '.join(map(str, tensors))}"
        )
