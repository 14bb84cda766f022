"""Positions of what permutations, reshapes and slices made of another tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trtnet.graph import Shape, Tensor
from trtnet.ops.positions.steps import Needed, Step
from trtnet.ops.shapes.moves import Move, Part
from trtnet.ops.shapes.shape import shuffle
from trtnet.ops.shapes.slicing import cut


def step_of(x: Tensor) -> Step | None:
    """How `x` was computed, as far as that is noted: by an operation, whose layers may end with one that moves."""
    if x.trt in x.network.steps:
        step: Step = x.network.steps[x.trt]
        return step
    move = x.network.moves.get(x.trt)
    if isinstance(move, Move):
        return Moved(move)
    return Sliced(move) if isinstance(move, Part) else None


@dataclass(frozen=True, eq=False)
class Moved(Step):
    """A permutation or a reshape."""

    move: Move

    def needed(self, ndim: int, axis: int) -> dict[str, Needed] | None:
        own = self._own(axis)
        return None if own is None else {"x": Needed(self.move.source, own)}

    def again(self, some: Mapping[str, Tensor], axis: int) -> Tensor:
        x, shape, place, own = some["x"], self.move.shape, self.move.after[axis], self._own(axis)
        if shape is not None and own is not None:
            shape = (*shape[:place], x.shape[own], *shape[place + 1 :])
        return shuffle(x, self.move.before, shape, self.move.after)

    def _own(self, axis: int) -> int | None:
        """The axis of the source that an axis of the result is; None where it is none."""
        source, before, shape, place = self.move.source, self.move.before, self.move.shape, self.move.after[axis]
        kept = place if shape is None else _kept(tuple(source.shape[a] for a in before), shape, place)
        return None if kept is None else before[kept]

    @property
    def operands(self) -> Mapping[str, Tensor]:
        return {"x": self.move.source}


def _kept(before: Shape, after: Shape, place: int) -> int | None:
    """The axis that a reshape keeps as axis `place`, with all before it or all behind it; None where there is none."""
    if before[: place + 1] == after[: place + 1]:
        return place
    own = place + len(before) - len(after)
    return own if own >= 0 and before[own:] == after[place:] else None


@dataclass(frozen=True, eq=False)
class Sliced(Step):
    """A slice."""

    part: Part

    def needed(self, ndim: int, axis: int) -> dict[str, Needed] | None:
        taken = self.part.cuts.get(axis)
        if taken is None:
            return {"x": Needed(self.part.source, axis)}
        return {"x": Needed(self.part.source, axis, taken.start)} if taken.step == 1 else None

    def again(self, some: Mapping[str, Tensor], axis: int) -> Tensor:
        return cut(some["x"], {along: taken for along, taken in self.part.cuts.items() if along != axis})

    @property
    def operands(self) -> Mapping[str, Tensor]:
        return {"x": self.part.source}
