"""The states of a session's streams: in the GPU's memory from call to call, nothing of them is copied."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from numbers import Integral
from typing import Any

import numpy as np

from trtnet.builder.plan import PlanInfo
from trtnet.runtime.cuda.interface import Device, Memory
from trtnet.runtime.execution.stream_order import Order
from trtnet.support import dtypes
from trtnet.support.arrays import StaticShape
from trtnet.support.call_interface import ACTIVE, StateInfo, TensorInfo
from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Kept:
    """A state's places in the call and in memory. outer: what is before the axis of the streams. row: bytes of one."""

    info: StateInfo
    shape: StaticShape
    dtype: np.dtype[Any]
    buffers: tuple[Memory, ...]

    @property
    def outer(self) -> int:
        return prod(self.shape[: self.info.axis])

    @property
    def row(self) -> int:
        return prod(self.shape[self.info.axis + 1 :]) * self.dtype.itemsize


class States:
    """A session's states, one of each stream; they are zero until a call has given others.

    Each is in one buffer where TensorRT writes it in place, else in two that take turns, so that an execution has one
    of two sets of addresses, and each set its CUDA graph. An execution that could not be queued leaves them as they
    were, but for those in place.
    info: of the engine. aliases: outputs in an input's place. lock: the session's, which its calls hold.
    """

    def __init__(
        self, device: Device, order: Order, info: PlanInfo, aliases: Mapping[str, str], count: int, lock: threading.Lock
    ) -> None:
        self._device, self._order, self._lock, self.count = device, order, lock, count
        inputs = {each.name: each for each in info.inputs}
        self._kept = [self._keep(state, inputs[state.input], aliases) for state in info.states]
        self.shapes: dict[str, tuple[TensorInfo, StaticShape]] = {
            kept.info.input: (inputs[kept.info.input], kept.shape) for kept in self._kept
        }
        self._mask: Memory | None = None
        if ACTIVE in inputs:
            self.shapes[ACTIVE] = inputs[ACTIVE], (count,)
            self._mask = device.allocate(count, order.own)
        self._side = 0
        self._selected: bytes = b""
        with lock:
            self._clear(range(count))
            self._select(range(count))

    def _keep(self, state: StateInfo, info: TensorInfo, aliases: Mapping[str, str]) -> _Kept:
        shape = sized(info, state, self.count)
        kind = dtypes.get(info.dtype)
        nbytes = max(kind.nbytes(prod(shape)), 1)
        buffers = 1 if aliases.get(state.output) == state.input else 2
        memory = tuple(self._device.allocate(nbytes, self._order.own) for _ in range(buffers))
        return _Kept(state, shape, np.dtype(kind.numpy), memory)

    @property
    def infos(self) -> list[StateInfo]:
        """What is carried."""
        return [kept.info for kept in self._kept]

    @property
    def side(self) -> int:
        """Which of two sets of addresses the next execution has."""
        return self._side

    def addresses(self) -> dict[str, int]:
        """Where the next execution finds the states, and where it puts them."""
        places = {ACTIVE: self._mask.address} if self._mask is not None else {}
        for kept in self._kept:
            places[kept.info.input] = kept.buffers[self._side % len(kept.buffers)].address
            places[kept.info.output] = kept.buffers[(self._side + 1) % len(kept.buffers)].address
        return places

    def turn(self) -> None:
        """What the execution that was queued gives is what the next one gets."""
        if any(len(kept.buffers) == 2 for kept in self._kept):
            self._side = 1 - self._side

    def select(self, streams: Iterable[int]) -> None:
        """The streams that take part in calls from now on; the states of the others stay as they are.

        Raises InputError for a stream that there is not, and for some of them where the engine has no mask.
        """
        with self._lock:
            self._select(streams)

    def _select(self, streams: Iterable[int]) -> None:
        mask = np.zeros(self.count, np.bool_)
        mask[check_streams(streams, self.count)] = True
        check_can_be_left_out(mask, self.infos)
        if mask.tobytes() == self._selected:
            return
        if self._mask is not None:
            self._device.activate()
            self._order.move(self._order.own)
            self._device.upload_pageable(mask, self._mask, self._order.own)
        self._selected = mask.tobytes()

    def reset(self, streams: Iterable[int]) -> None:
        """Sets the states of streams to zero, after the calls so far. Raises InputError for one that there is not."""
        with self._lock:
            self._clear(check_streams(streams, self.count))

    def _clear(self, streams: Sequence[int]) -> None:
        self._device.activate()
        self._order.move(self._order.own)
        for kept in self._kept:
            memory = kept.buffers[self._side % len(kept.buffers)]
            if len(streams) == self.count:
                self._device.zero(memory, 0, memory.nbytes, self._order.own)
                continue
            for stream in streams:
                for outer in range(kept.outer):
                    start = (outer * self.count + stream) * kept.row
                    self._device.zero(memory, start, kept.row, self._order.own)

    def read(self) -> dict[str, Array]:
        """The states by name, with the rows of all streams; waits for the calls so far."""
        with self._lock:
            return {kept.info.input: self._read(kept) for kept in self._kept}

    def _read(self, kept: _Kept) -> Array:
        self._device.activate()
        self._order.move(self._order.own)
        memory = kept.buffers[self._side % len(kept.buffers)]
        host = self._device.allocate_host(memory.nbytes)
        self._device.download(memory, host, memory.nbytes, self._order.own)
        self._device.synchronize(self._order.own)
        nbytes = prod(kept.shape) * kept.dtype.itemsize
        return host.bytes[:nbytes].view(kept.dtype).reshape(kept.shape).copy()

    def write(self, stream: int, values: Mapping[str, Array]) -> None:
        """Gives a stream states, by name, without the axis of the streams; waits for the calls so far.

        Raises InputError for other names, shapes or dtypes.
        """
        with self._lock:
            rows = check_rows({k.info.input: (k.info, k.shape, k.dtype) for k in self._kept}, stream, values)
            for kept in self._kept:
                whole = self._read(kept)
                whole[row_of(kept.info.axis, stream)] = rows[kept.info.input]
                memory = kept.buffers[self._side % len(kept.buffers)]
                self._device.upload_pageable(whole, memory, self._order.own)

    def close(self) -> None:
        """Frees the buffers, in the order of their stream."""
        self._kept.clear()
        self._mask = None


def states_of(
    device: Device, order: Order, info: PlanInfo, aliases: Mapping[str, str], count: int | None, lock: threading.Lock
) -> States | None:
    """The states of so many streams; None if none were asked for. Raises InputError for an engine without states."""
    if count is None:
        return None
    if not info.states:
        raise InputError(f"streams={count}: {info.model or 'the network'} declares no state: see trtnet.State")
    return States(device, order, info, aliases, count, lock)


def of_outputs(aliases: Mapping[str, str], outputs: Sequence[TensorInfo]) -> dict[str, str]:
    """The aliases of some outputs."""
    return {info.name: aliases[info.name] for info in outputs if info.name in aliases}


def sized(info: TensorInfo, state: StateInfo, count: int) -> StaticShape:
    """The shape of a state of so many streams. Raises InputError for another number than the network is made for."""
    streams = info.shape[state.axis]
    if isinstance(streams, int) and streams != count:
        raise InputError(f"state {info} is that of {counted(streams, 'stream')}; asked for {count}")
    return tuple(count if axis == state.axis else int(size) for axis, size in enumerate(info.shape))


def check_streams(streams: Iterable[int], count: int) -> list[int]:
    """The numbers of streams. Raises InputError for one that there is not, and for what is no number."""
    numbers = list(streams)
    for number in numbers:
        is_flag = isinstance(number, bool | np.bool_)
        if is_flag or not isinstance(number, Integral):
            hint = "; of a mask, np.flatnonzero(mask)" if is_flag else ""
            raise InputError(f"streams are named by their numbers, as in [0, 2]; found {number!r}{hint}")
        if not 0 <= int(number) < count:
            raise InputError(f"there is no stream {number!r}: there are {count}, from 0")
    return [int(number) for number in numbers]


def check_can_be_left_out(mask: Array, states: Iterable[StateInfo]) -> None:
    """Raises InputError for a call of some streams, where a state would not stay as it is for the others."""
    moving = [] if mask.all() else [state.input for state in states if not state.held]
    if moving:
        raise InputError(
            f"every stream takes part in each call of this network, since {moving[0]} is written in place, or of one"
            f" stream; found {np.count_nonzero(mask)} of {mask.size}"
        )


def check_rows(
    states: Mapping[str, tuple[StateInfo, StaticShape, np.dtype[Any]]], stream: int, values: Mapping[str, Any]
) -> dict[str, Array]:
    """A stream's states, by name. Raises InputError for other names, shapes or dtypes."""
    if sorted(values) != sorted(states):
        raise InputError(
            f"a stream has the states {', '.join(states)}, and each is given, as streams.state(number) returns them;"
            f" found {', '.join(map(str, values)) or 'none'}"
        )
    rows = {}
    for name, (info, shape, dtype) in states.items():
        check_streams([stream], shape[info.axis])
        rows[name] = np.asarray(values[name])
        wanted = (*shape[: info.axis], *shape[info.axis + 1 :])
        if rows[name].shape != wanted or rows[name].dtype != dtype:
            found = f"{list(rows[name].shape)} {rows[name].dtype}"
            raise InputError(f"state {name} of a stream is {list(wanted)} {dtype}; found {found}")
    return rows


def without_states(info: PlanInfo) -> PlanInfo:
    """What of an engine is the caller's: its inputs and outputs but for the states and the mask of the streams."""
    inputs, outputs = (without(infos, info.states) for infos in (info.inputs, info.outputs))
    return replace(info, inputs=inputs, outputs=outputs, states=())


def without(infos: Sequence[TensorInfo], states: Sequence[StateInfo]) -> tuple[TensorInfo, ...]:
    """Inputs or outputs without the states and the mask of the streams."""
    carried = {name for state in states for name in (state.input, state.output)} | {ACTIVE}
    return tuple(info for info in infos if info.name not in carried)


def row_of(axis: int, stream: int) -> tuple[slice | int, ...]:
    """The index of a stream's values in those of all."""
    return (slice(None),) * axis + (stream,)
