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
        place = self.move.after[axis]
        own = place if self.move.shape is None else _kept(self._before, self.move.shape, place)
        return None if own is None else {"x": Needed(self.move.source, self.move.before[own])}

    def again(self, some: Mapping[str, Tensor], axis: int) -> Tensor:
        x, move, place = some["x"], self.move, self.move.after[axis]
        if move.shape is None:
            return shuffle(x, move.before, None, move.after)
        own = _kept(self._before, move.shape, place)
        assert own is not None
        shape = (*move.shape[:place], x.shape[move.before[own]], *move.shape[place + 1 :])
        return shuffle(x, move.before, shape, move.after)

    @property
    def _before(self) -> Shape:
        """The sizes that are reshaped."""
        return tuple(self.move.source.shape[axis] for axis in self.move.before)

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
