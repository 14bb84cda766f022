"""The states of streams in the host's memory, as numpy arrays: those of a network on the CPU reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trtnet.runtime.execution.states import (
    check_can_be_left_out,
    check_rows,
    check_streams,
    row_of,
    sized,
    without,
)
from trtnet.support import dtypes
from trtnet.support.call_interface import ACTIVE, StateInfo, bind, by_name, returned

Array = np.ndarray[Any, Any]


class HostStates:
    """The states of a reference's streams, in the host's memory. It is called with what the caller gives."""

    def __init__(self, reference: Any, count: int) -> None:
        self._call, self.count = reference, count
        self.infos: Sequence[StateInfo] = reference.states
        self.inputs, self.outputs = (without(infos, self.infos) for infos in (reference.inputs, reference.outputs))
        inputs = {info.name: info for info in reference.inputs}
        self._states: dict[str, tuple[StateInfo, tuple[int, ...], np.dtype[Any]]] = {
            state.input: (state, sized(inputs[state.input], state, count), dtypes.get(inputs[state.input].dtype).numpy)
            for state in reference.states
        }
        self._values = {name: np.zeros(shape, dtype) for name, (_, shape, dtype) in self._states.items()}
        self._mask = {ACTIVE: np.ones(count, np.bool_)} if ACTIVE in inputs else {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return returned(self.carry(self._call, bind(self.inputs, args, kwargs)))

    def carry(self, call: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a call gives but for the states, which are kept. call: the reference, or one that shares the states."""
        found = by_name(call(**given, **self._values, **self._mask), self._call.outputs)
        for state, _, _ in self._states.values():
            self._values[state.input] = found.pop(state.output)
        return found

    def select(self, streams: Iterable[int]) -> None:
        """The streams that take part in calls from now on. Raises InputError."""
        mask = np.zeros(self.count, np.bool_)
        mask[check_streams(streams, self.count)] = True
        check_can_be_left_out(mask, self.infos)
        if self._mask:
            self._mask[ACTIVE] = mask

    def reset(self, streams: Iterable[int]) -> None:
        """Sets the states of streams to zero. Raises InputError for one that there is not."""
        for number in check_streams(streams, self.count):
            for name, (state, _, _) in self._states.items():
                self._values[name][row_of(state.axis, number)] = 0

    def read(self) -> dict[str, Array]:
        """The states by name, with the rows of all streams."""
        return {name: values.copy() for name, values in self._values.items()}

    def write(self, stream: int, values: Mapping[str, Array]) -> None:
        """Gives a stream states, by name, without the axis of the streams. Raises InputError."""
        rows = check_rows(self._states, stream, values)
        for name, (state, _, _) in self._states.items():
            self._values[name][row_of(state.axis, stream)] = rows[name]
