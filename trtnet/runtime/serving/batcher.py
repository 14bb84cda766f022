"""Dynamic batching: samples of independent callers are run together, and each gets its own result."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.runtime.serving.rows import Rows
from trtnet.runtime.serving.samples import Kind, Sample, Samples
from trtnet.runtime.serving.slot import Slot
from trtnet.runtime.serving.slot_queue import Line
from trtnet.support.errors import ClosedError, InputError

Call = tuple[Sample, "Future[Any]"]

SLOTS = 2
"""Batches in flight: one runs, the next is uploaded and the last one's results are handed out."""


class Batcher:
    """Runs single samples, of tasks or threads, in batches: ``await batcher(image)`` or ``batcher.submit(image)``.

    A batch is run when it has `max_batch` samples, or `max_delay` seconds after its first sample; while the GPU is busy
    with other batches, it keeps growing. A sample that does not fit is rejected before it joins a batch, a failed
    execution fails only the calls of its batch, and a call that is cancelled in time leaves its batch.
    ``close()``, or ``with`` and ``async with``, runs what is waiting and frees the memory.
    """

    def __init__(self, opened: OpenEngine, max_batch: int, max_delay: float) -> None:
        if max_delay < 0:
            raise InputError(f"max_delay is a time in seconds; found {max_delay}")
        self._samples = Samples(opened.info, max_batch)
        self._runner = _Runner(Line(opened, SLOTS), max_delay)
        # the thread must not keep a forgotten batcher alive
        self._finalizer = weakref.finalize(self, self._runner.stop)

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queues one sample: the inputs without their batch axis, by position or by name, as numpy arrays.

        They must not be changed before the result is available: an array without the batch axis, or several as
        ``NamedOutputs``.
        Raises InputError and ProfileError for a sample that does not fit, ClosedError once the batcher is closed.
        """
        return self._runner.add(self._samples.look(args, kwargs))

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """:meth:`submit`, for a task to wait for."""
        return await asyncio.wrap_future(self.submit(*args, **kwargs))

    def close(self) -> None:
        """Runs what is waiting, and frees the memory. More samples are refused."""
        self._finalizer()

    def __enter__(self) -> Batcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Batcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)


class _Waiting:
    """Samples of one kind that will be run together, until a moment of ``time.monotonic()`` at the latest."""

    def __init__(self, kind: Kind, until: float) -> None:
        self.kind, self.until = kind, until
        self.calls: list[Call] = []

    @property
    def full(self) -> bool:
        return len(self.calls) == self.kind.limit


class _Runner:
    """The thread that puts batches together and starts them."""

    def __init__(self, line: Line, max_delay: float) -> None:
        self._line, self._max_delay = line, max_delay
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="trtnet-batcher", daemon=True)
        self._thread.start()

    def add(self, sample: Sample) -> Future[Any]:
        future: Future[Any] = Future()
        with self._changed:
            if self._stopped:
                raise ClosedError("the batcher is closed: make another with engine.batcher()")
            batch = next((b for b in self._waiting if b.kind is sample.kind and not b.full), None)
            if batch is None:
                batch = _Waiting(sample.kind, time.monotonic() + self._max_delay)
                self._waiting.append(batch)
            batch.calls.append((sample, future))
            if batch.full or len(batch.calls) == 1:
                self._changed.notify()
        return future

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        while self._wait():
            slot = self._line.take()
            batch = self._take()  # only now: it went on growing until a slot was free
            calls = [call for call in batch.calls if call[1].set_running_or_notify_cancel()]
            try:
                if calls:
                    self._start(slot, batch.kind, calls)
                else:
                    self._line.give(slot)
            except Exception as error:
                self._line.give(slot)
                _fail(calls, error)
        self._line.close()

    def _wait(self) -> bool:
        """Waits until a batch is due. False if none will be any more."""
        with self._changed:
            while self._due() is None:
                if self._stopped:
                    return False
                until = min((batch.until for batch in self._waiting), default=None)
                self._changed.wait(None if until is None else max(0, until - time.monotonic()))
        return True

    def _due(self) -> _Waiting | None:
        now = time.monotonic()
        return next((b for b in self._waiting if b.full or b.until <= now or self._stopped), None)

    def _take(self) -> _Waiting:
        with self._changed:
            batch = self._due()
            assert batch is not None, "only this thread takes"
            self._waiting.remove(batch)
        return batch

    def _start(self, slot: Slot, kind: Kind, calls: list[Call]) -> None:
        rows = Rows(slot, kind)
        for sample, _ in calls:
            rows.add(sample.arrays)
        rows.close()
        self._line.start(slot, rows.split).add_done_callback(lambda done: _deliver(calls, done))


def _deliver(calls: list[Call], done: Future[list[Any]]) -> None:
    error = done.exception()
    if error is not None:
        _fail(calls, error)
        return
    for (_, future), result in zip(calls, done.result(), strict=True):
        future.set_result(result)


def _fail(calls: list[Call], error: BaseException) -> None:
    for _, future in calls:
        future.set_exception(error)
