"""State that is carried from call to call: what one gives in a step is what it gets in the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trtnet.support import dtypes
from trtnet.support.call_interface import ACTIVE, StateInfo, TensorInfo
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted
from trtnet.verify.arrays.feeding import Array, Arrays, Notes, cast
from trtnet.verify.arrays.inputs import Ranges, merged, random_inputs
from trtnet.verify.comparison.naming import paired
from trtnet.verify.comparison.side import Side
from trtnet.verify.comparison.sides import Saved


@dataclass(frozen=True)
class Declared:
    """The states that one of the sides declares, with its inputs; none of them if no side does."""

    states: Sequence[StateInfo] = ()
    takes: Sequence[TensorInfo] = ()

    @classmethod
    def by(cls, sides: Iterable[Side]) -> Declared:
        """Those of the first side that has any."""
        for side in sides:
            if found := getattr(side, "states", ()):
                return cls(found, side.takes)
        return cls()

    @property
    def carry(self) -> dict[str, str]:
        """output -> input."""
        return {state.output: state.input for state in self.states}

    def begun(self, sets: Iterable[Arrays], *, from_zero: bool, drawn: bool = False) -> Iterator[Arrays]:
        """The inputs of each call; where no mask is given every stream takes part, and states not given are zeros.

        from_zero: all are zeros, also those that are given. drawn: a mask among them is random and not used.
        """
        names = {state.input for state in self.states}
        for arrays in sets:
            filled = dict(arrays)
            for info in self.takes if names else ():
                if info.name in names and (from_zero or info.name not in filled):
                    filled[info.name] = np.zeros(self._shape(info, arrays), dtypes.get(info.dtype).numpy)
                if info.name == ACTIVE and (drawn or ACTIVE not in filled):
                    filled[ACTIVE] = np.ones(self._shape(info, arrays), np.bool_)
            yield filled

    def completed(
        self, given: Arrays, sizes: Mapping[str, int], ranges: Ranges, seed: int, *, from_zero: bool = False
    ) -> Arrays:
        """The given arrays, and random ones for the other inputs, but for the mask of the streams.

        from_zero: also but for the states. Raises InputError for an unknown size, and as random inputs do.
        """
        left = {ACTIVE} if self.states else set()
        left |= {state.input for state in self.states} if from_zero else set()
        missing = [info for info in merged([self.takes], sizes) if info.name not in given and info.name not in left]
        (values,) = random_inputs(missing, sizes, ranges, seed, 1)
        return {**given, **values}

    def paired(
        self, found: Sequence[str], expected: Sequence[str], chosen: Mapping[str, str] | None
    ) -> tuple[list[tuple[str, str]], Notes]:
        """As :func:`trtnet.verify.comparison.naming.paired`; a state may have its own name, or NAME_next, on a side."""
        if chosen is not None:
            return paired(found, expected, chosen)
        ours, theirs = (self._by_known(names) for names in (found, expected))
        pairs, notes = paired(list(ours), list(theirs), None)
        return [(ours[one], theirs[other]) for one, other in pairs], notes

    def _by_known(self, names: Sequence[str]) -> dict[str, str]:
        """Raises InputError where two outputs can be one state."""
        known = {self._known(name): name for name in names}
        if doubled := [name for name in names if known[self._known(name)] != name]:
            other = known[self._known(doubled[0])]
            raise InputError(f"the outputs {doubled[0]} and {other} can both be the state: say outputs=, --output")
        return known

    def _known(self, name: str) -> str:
        for state in self.states:
            if name in (state.input, f"{state.input}_next"):
                return state.output
        return name

    def fits(self, side: Side, arrays: Arrays) -> Arrays:
        """What a side takes: one that declares no states has no mask of the streams. Raises as `without_mask`."""
        return arrays if any(info.name == ACTIVE for info in side.takes) else self.without_mask(arrays)

    def without_mask(self, arrays: Arrays) -> Arrays:
        """What a model takes that knows nothing of streams. Raises InputError for streams that take no part."""
        if not self.states:
            return arrays
        if ACTIVE in arrays and not np.all(arrays[ACTIVE]):
            raise InputError(f"{ACTIVE} leaves out streams, which a side without states cannot: leave it out")
        return {name: array for name, array in arrays.items() if name != ACTIVE}

    def _shape(self, info: TensorInfo, arrays: Arrays) -> tuple[int, ...]:
        """Its shape, with the sizes that the other arrays have. Raises InputError for one that none has."""
        known = {
            size: arrays[each.name].shape[axis]
            for each in self.takes
            if each.name in arrays and arrays[each.name].ndim == len(each.shape)
            for axis, size in enumerate(each.shape)
        }
        missing = [size for size in info.shape if isinstance(size, str) and size not in known]
        if missing:
            raise InputError(f"input {info}: no other input says its {missing[0]}: give it")
        return tuple(size if isinstance(size, int) else known[size] for size in info.shape)


def sequence(sets: Sequence[Arrays], carry: Mapping[str, str], steps: int | None) -> Sequence[Arrays]:
    """The inputs of each step: those of one call repeated, or one set for each.

    Raises InputError for another number of sets than of steps, and for an input that none of the first has.
    """
    for name in carry.values():
        if name not in sets[0]:
            raise InputError(f"carry names the input {name}, which is not given; given are {', '.join(sets[0])}")
    if steps is None or steps == len(sets):
        return sets
    if len(sets) > 1:
        raise InputError(
            f"{counted(steps, 'step')}, and the inputs of {len(sets)}: give those of one, or of every step"
        )
    return list(sets) * steps


class Carrying:
    """The state of each of the things, by its name in the report; nothing is kept without a `carry`.

    carry: output -> input. An output is named as it is expected, or as the thing itself names it.
    """

    def __init__(self, carry: Mapping[str, str]) -> None:
        self._carry = carry
        self._first: Arrays = {}
        self._states: dict[str, Arrays] = {}

    def feed(self, name: str, side: Side, given: Arrays) -> tuple[Arrays, Notes]:
        """What a thing gets in this step, in the order of the first's inputs, and notes of casts.

        What says no dtypes gets the state in that in which it was first given.
        """
        self._first = self._first or given
        state, notes = {}, Notes()
        for key, array in self._states.get(name, {}).items():
            known = bool(side.takes)
            state[key], note = (array, ()) if known else self._as_first(key, array)
            notes += note
        missing = [key for key in self._first if key not in given and key not in state]
        if missing:
            raise InputError(f"input {missing[0]} is missing in a later step, and carry does not name it")
        return {key: state[key] if key in state else given[key] for key in self._first}, notes

    def keep(self, name: str, side: Side, outputs: Arrays, pairs: Iterable[tuple[str, str]]) -> None:
        """Keeps what the next step gets. pairs: names of the thing's outputs, and of the same by the other side."""
        if isinstance(side, Saved):
            return  # its steps are in its file
        others = {theirs: own for own, theirs in pairs}
        self._states[name] = dict(self._kept(name, outputs, others))

    def _kept(self, name: str, outputs: Arrays, others: Mapping[str, str]) -> Iterator[tuple[str, Array]]:
        for output, key in self._carry.items():
            own = output if output in outputs else others.get(output)
            if own is None:
                raise InputError(f"carry names the output {output}; those of {name} are {', '.join(outputs)}")
            kept = outputs[own].copy()  # the thing may write its outputs of the next step to the same memory
            kept.flags.writeable = False
            yield key, kept

    def _as_first(self, key: str, array: Array) -> tuple[Array, Notes]:
        return cast(array, dtypes.get(self._first[key].dtype), f"input {key}")
