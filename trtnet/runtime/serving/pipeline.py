"""A stream of inferences: the next ones are uploaded and the last ones downloaded while one is computed."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from typing import Any, Generic, TypeVar

from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.runtime.serving.rows import Rows
from trtnet.runtime.serving.samples import Samples
from trtnet.runtime.serving.slot import Arrays
from trtnet.runtime.serving.slot_queue import Line
from trtnet.support.call_interface import NamedOutputs, TensorInfo, bind, returned
from trtnet.support.errors import InputError

T = TypeVar("T")
Results = Future[list[Any]]


def pipeline(
    engines: Sequence[OpenEngine], items: Iterable[Any], depth: int, batch: int | None, nvtx: str | None = None
) -> Iterator[Any]:
    """The results of items that are dealt to engines in turn: one engine, opened on several GPUs.

    See :meth:`trtnet.runtime.Engine.pipeline`.
    """
    if depth < 1:
        raise InputError(f"depth is the number of inferences in flight, at least 1; found {depth}")
    info = engines[0].info
    if batch is None:
        return _results(engines, depth, nvtx, lambda lines: _wholes(items, info.inputs, lines))
    samples = Samples(info, batch)
    return _results(engines, depth, nvtx, lambda lines: _batches(items, samples, lines))


def _results(
    engines: Sequence[OpenEngine],
    depth: int,
    nvtx: str | None,
    start: Callable[[Iterator[Line]], Generator[Results, None, None]],
) -> Iterator[Any]:
    """start: starts an inference on the next of the lines each time it is asked for one."""
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(Line(opened, depth, nvtx))) for opened in engines]
        started = _Held(stack.enter_context(closing(start(itertools.cycle(lines)))))
        in_flight: deque[Results] = deque()
        for results in started:
            in_flight.append(results)
            if len(in_flight) == depth * len(lines):
                yield from in_flight.popleft().result()
        while in_flight:
            yield from in_flight.popleft().result()
        started.check()


def _wholes(
    items: Iterable[Any], inputs: Sequence[TensorInfo], lines: Iterator[Line]
) -> Generator[Results, None, None]:
    """Each item is all the inputs of an inference."""
    for item in items:
        arrays = bind(inputs, *arguments(item))
        line = next(lines)
        slot = line.take()
        slot.fill(arrays)
        yield line.start(slot, _whole)


def _batches(items: Iterable[Any], samples: Samples, lines: Iterator[Line]) -> Generator[Results, None, None]:
    """Items become the rows of batches; one of another kind begins another batch."""
    found = _Held(samples.look(*arguments(item)) for item in items)
    line = next(lines)
    rows: Rows | None = None
    for sample in found:
        if rows is not None and rows.kind is not sample.kind:
            yield _started(line, rows)
            line, rows = next(lines), None
        if rows is None:
            rows = Rows(line.take(), sample.kind)
        rows.add(sample.arrays)
        if rows.full:
            yield _started(line, rows)
            line, rows = next(lines), None
    if rows is not None:
        yield _started(line, rows)
    found.check()


def _started(line: Line, rows: Rows) -> Results:
    rows.close()
    return line.start(rows.slot, rows.split)


def _whole(outputs: Arrays) -> list[Any]:
    return [returned({name: array.copy() for name, array in outputs.items()})]


def arguments(item: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """An item as the arguments of a call: a tuple by position, a mapping or another call's outputs by name, anything
    else as the only one."""
    if isinstance(item, Mapping | NamedOutputs):
        return (), dict(item)
    return (item if isinstance(item, tuple) else (item,)), {}


class _Held(Generic[T]):
    """What an iterable gives until it fails; ``check`` raises the error, once what came before has been seen to."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[T]:
        try:
            yield from self._items
        except Exception as error:
            self._error = error

    def check(self) -> None:
        if self._error is not None:
            raise self._error
