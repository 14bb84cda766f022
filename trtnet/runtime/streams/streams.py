"""Streams: networks with states, called once for a step of several streams side by side, on a GPU and on the CPU."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from trtnet.runtime.execution.states import check_streams, row_of
from trtnet.runtime.streams.host_states import HostStates
from trtnet.support import dtypes
from trtnet.support.call_interface import StateInfo, TensorInfo, bind, by_name, check, returned
from trtnet.support.errors import InputError, TrtnetError
from trtnet.support.text.counted import counted

Array = np.ndarray[Any, Any]
Chunk = Any
"""What a stream gives to a step, without the axis of the streams: an array, or several by the inputs' names."""


class Streams:
    """Streams side by side: a network whose states (:class:`trtnet.State`) are carried from call to call, for each.

    callee: an engine, or a reference: the same on both. count: how many streams; by default those of the network, or 1.
    options: of :meth:`Engine.session <trtnet.Engine.session>`, for an engine. inputs, outputs: of a call, without the
    states. States begin with zeros. An engine keeps them on the GPU, in place or in two buffers that take turns, so
    that a step is a CUDA graph, copies no state and allocates nothing. A call that raises leaves all states as they
    were. Threads may call it; calls run one after another. Shapes and dtypes are those that the network declares.
    Raises InputError for a network without states, and for another number of streams than it is made for.

    >>> import numpy as np, trtnet
    >>> class Sum(trtnet.nn.Module):
    ...     inputs = {"x": trtnet.Input(("streams", 1)), "total": trtnet.State(("streams", 1))}
    ...     def forward(self, x, total):
    ...         return {"y": total + x, "total": total + x}
    >>> streams = trtnet.Streams(trtnet.define(Sum()).reference(), 2)
    >>> streams(np.array([[1], [10]], np.float32)).tolist(), streams(np.array([[2], [20]], np.float32)).tolist()
    ([[1.0], [10.0]], [[3.0], [30.0]])
    >>> streams.reset(0)
    >>> {number: y.tolist() for number, y in streams.step({0: np.float32([5])}).items()}
    {0: [5.0]}
    """

    def __init__(self, callee: Any, count: int | None = None, **options: Any) -> None:
        states: Sequence[StateInfo] = getattr(callee, "states", ())
        if not callable(callee) or not states:
            why = "of a model that declares a state, inputs = {'h': trtnet.State(('streams', 128))}"
            raise InputError(
                f"trtnet.Streams takes an engine, or a reference (network.reference()), {why}; found"
                f" {type(callee).__name__}"
            )
        infos = {info.name: info for info in callee.inputs}
        streams = infos[states[0].input].shape[states[0].axis]
        self.count = count if count is not None else streams if isinstance(streams, int) else 1
        if not _is_whole(self.count) or self.count < 1:
            raise InputError(f"there is at least one stream, a whole number of them; found {self.count!r}")
        self._call: Any
        if hasattr(callee, "session"):
            self._call = callee.session(streams=self.count, **options)
            self._states = self._call.carried
        else:
            self._call = self._states = HostStates(callee, self.count)
        self._axis_size = streams
        self._batch: dict[str, Array] = {}
        self._lock = threading.Lock()

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return tuple(self._call.inputs)

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return tuple(self._call.outputs)

    def __call__(self, *args: Any, active: Iterable[int] | None = None, **kwargs: Any) -> Any:
        """One step. Takes and returns arrays with the rows of all streams, as the engine's session or the reference.

        active: the streams that take part; by default all. The rows of the others are not read into their states, which
        stay as they are, and the results in their rows mean nothing. Raises as the session or the reference does.
        """
        with self._lock:
            self._states.select(range(self.count) if active is None else active)
            try:
                return self._call(*args, **kwargs)
            except TrtnetError:
                self._check_rows({**kwargs, **dict(zip((info.name for info in self.inputs), args, strict=False))})
                raise

    def _check_rows(self, given: Mapping[str, Any]) -> None:
        """Raises InputError for an input with the rows of another number of streams: it, and no state, is at fault."""
        for info in self.inputs:
            shape = tuple(getattr(given.get(info.name), "shape", ()))
            if isinstance(self._axis_size, str) and self._axis_size in info.shape and len(shape) == len(info.shape):
                rows = shape[info.shape.index(self._axis_size)]
                if rows != self.count:
                    text = f"input {info}: {self._axis_size} is {rows} in {list(shape)}"
                    raise InputError(f"{text}, and there are {counted(self.count, 'stream')}: give the rows of all")

    def step(self, chunks: Mapping[int, Chunk]) -> dict[int, Any]:
        """One step of those streams that have a chunk: what each gets, by its number.

        chunks: by the number of the stream, numpy arrays without the axis of the streams. A chunk that does not fit is
        an InputError in the place of its stream's result; its state stays as it is, and the others have their results.
        Raises InputError for a stream that there is not, and for a network whose inputs have other dynamic axes.
        """
        check_streams(chunks, self.count)
        with self._lock:
            results: dict[int, Any] = {number: self._place(number, chunk) for number, chunk in chunks.items()}
            taking = [number for number, problem in results.items() if problem is None]
            if taking:
                self._states.select(taking)
                try:
                    outputs = by_name(self._call(**self._buffers()), self.outputs)
                except BaseException:  # the rows are computed in each step: what was refused must not be in the next
                    self._clear(taking)
                    raise
                results |= {number: self._of(number, outputs) for number in taking}
            return results

    def run(self, sequences: Iterable[Iterable[Chunk]]) -> list[Any]:
        """Sequences of chunks, of any lengths and any number: each in a stream of its own, from its beginning.

        A stream whose sequence has ended takes the next one, reset. Returns for each sequence its results, stacked
        along a new first axis; or in their place the error of the sequence that raised, or had a chunk that does not
        fit: the others have their results. Raises what a step raises.
        """
        waiting = deque((place, iter(sequence)) for place, sequence in enumerate(sequences))
        found: list[list[Any]] = [[] for _ in waiting]
        errors: dict[int, Exception] = {}
        running: dict[int, tuple[int, Iterator[Chunk]]] = {}
        while waiting or running:
            for number in [free for free in range(self.count) if free not in running][: len(waiting)]:
                running[number] = waiting.popleft()
                self.reset(number)
            for number, result in self.step(self._next(running, errors)).items():
                place, _ = running[number]
                if isinstance(result, InputError):
                    errors[place] = result
                    del running[number]
                else:
                    found[place].append(result)
        return [errors.get(place) or self._stacked(results) for place, results in enumerate(found)]

    def reset(self, *streams: int) -> None:
        """Sets the states of streams to zero, of all if none is named. Raises InputError for one that there is not."""
        with self._lock:
            self._states.reset(streams or range(self.count))

    def state(self, stream: int) -> dict[str, Array]:
        """A stream's states by name, as they are now, without the axis of the streams. Raises InputError."""
        check_streams([stream], self.count)
        axes = {state.input: state.axis for state in self._states.infos}
        with self._lock:
            return {name: values[row_of(axes[name], stream)].copy() for name, values in self._states.read().items()}

    def restore(self, stream: int, state: Mapping[str, Array]) -> None:
        """Gives a stream what :meth:`state` returned, here or elsewhere. Raises InputError for what does not fit."""
        with self._lock:
            self._states.write(stream, state)

    def close(self) -> None:
        """Frees what an engine's session holds on the GPU; later calls raise ClosedError."""
        if hasattr(self._call, "close"):
            self._call.close()

    def _next(self, running: dict[int, tuple[int, Iterator[Chunk]]], errors: dict[int, Exception]) -> dict[int, Chunk]:
        """The next chunk of each sequence; those that have ended, or raised, run no more."""
        chunks = {}
        for number, (place, sequence) in list(running.items()):
            try:
                chunks[number] = next(sequence)
            except StopIteration:
                del running[number]
            except Exception as error:  # whatever the caller's iterator raises is its sequence's
                errors[place] = error
                del running[number]
        return chunks

    def _buffers(self) -> dict[str, Array]:
        """The rows of all streams, kept from step to step."""
        for info in () if self._batch else self.inputs:
            other = [size for size in info.shape if isinstance(size, str) and size != self._axis_size]
            if other:
                raise InputError(f"input {info}: give {other[0]} a size, or call the streams with the rows of all")
            shape = tuple(self.count if isinstance(size, str) else size for size in info.shape)
            self._batch[info.name] = np.zeros(shape, dtypes.get(info.dtype).numpy)
        return self._batch

    def _place(self, number: int, chunk: Chunk) -> InputError | None:
        """Puts a chunk into the rows of its stream; why it does not fit."""
        buffers = self._buffers()
        axes = {info.name: self._axis(info) for info in self.inputs}
        infos = [_row_info(info, axes[info.name]) for info in self.inputs]
        try:
            args, named = ((), chunk) if isinstance(chunk, Mapping) else ((chunk,), {})
            rows = bind(infos, args, named)
            check(infos, rows)
        except InputError as error:
            return InputError(f"stream {number}: {error}")
        for name, values in rows.items():
            buffers[name][row_of(axes[name], number)] = values
        return None

    def _clear(self, numbers: Iterable[int]) -> None:
        for info in self.inputs:
            for number in numbers:
                self._batch[info.name][row_of(self._axis(info), number)] = 0

    def _of(self, number: int, outputs: Mapping[str, Array]) -> Any:
        axes = {info.name: self._axis(info, outputs[info.name].shape) for info in self.outputs}
        return returned({name: values[row_of(axes[name], number)].copy() for name, values in outputs.items()})

    def _stacked(self, results: Sequence[Any]) -> Any:
        """The results of a sequence along a new first axis, which is empty for one without chunks."""
        by_step = [by_name(result, self.outputs) for result in results]
        stacked = {info.name: [step[info.name] for step in by_step] for info in self.outputs}
        return returned(
            {info.name: np.stack(stacked[info.name]) if results else self._none(info) for info in self.outputs}
        )

    def _none(self, info: TensorInfo) -> Array:
        row = _row_info(info, self._axis(info, [self.count]))
        return np.empty(
            (0, *(size if isinstance(size, int) else 0 for size in row.shape)), dtypes.get(info.dtype).numpy
        )

    def _axis(self, info: TensorInfo, found: Sequence[int] = ()) -> int:
        """The axis of the streams: that of their name, else the first, if it has as many rows. found: the shape."""
        if self._axis_size in info.shape:
            return info.shape.index(self._axis_size)
        if (*found, 0)[0] == self.count:
            return 0
        raise InputError(f"{info} has no axis of the {counted(self.count, 'stream')}: call them with the rows of all")


def _is_whole(number: object) -> bool:
    return isinstance(number, Integral)


def _row_info(info: TensorInfo, axis: int) -> TensorInfo:
    """An input or output as one stream has it."""
    return TensorInfo(info.name, (*info.shape[:axis], *info.shape[axis + 1 :]), info.dtype)
