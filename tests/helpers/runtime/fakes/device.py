"""A GPU made of numpy, whose queued work happens when a stream is synchronized."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable

import numpy as np

from trtnet.support.errors import DeviceError

GARBAGE = 0xCD


def _done() -> None:
    """Work that has run, which keeps nothing alive any more."""


class FakeStream:
    """Queued work. done: how much of it has run. lock: one for all streams, which wait for each other."""

    lock = threading.RLock()

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.work: list[Callable[[], None]] = []
        self.done = 0

    def run(self, upto: int) -> None:
        with self.lock:
            while self.done < upto:
                self.done += 1
                work, self.work[self.done - 1] = self.work[self.done - 1], _done
                work()


class FakeBuffer:
    """Memory. users: queued copies that still need it."""

    def __init__(self, address: int, nbytes: int, on_host: bool) -> None:
        self.address, self.on_host = address, on_host
        self.raw = np.full(nbytes, GARBAGE, np.uint8)
        self.users = 0

    @property
    def nbytes(self) -> int:
        return self.raw.size

    @property
    def bytes(self) -> np.ndarray:
        assert self.on_host, "the host cannot read device memory"
        assert self.users == 0, "host memory is touched while a queued copy needs it"
        return self.raw


class FakeGraph:
    def __init__(self, work: list[Callable[[], None]]) -> None:
        self.work = work
        self.launches: list[int] = []

    def launch(self, stream: FakeStream) -> None:
        stream.work.extend(self.work)
        self.launches.append(stream.handle)


class FakeRun:
    """An execution that is queued, or done. check: fails if its scratch memory is not there, or is in use."""

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self.check, self.done = check, False


class FakeEvent:
    """time: when the work before it was done, in milliseconds of the device's clock."""

    def __init__(self, stream: FakeStream) -> None:
        self.stream, self.mark = stream, len(stream.work) + 1
        self.time: float | None = None


class FakeDevice:
    """refuses_capture: what CUDA says against graphs, "" if it captures. graphs: those it captured.

    clock: milliseconds; a copy and an execution take one each.
    """

    name = "Fake GPU"

    def __init__(self, index: int = 0) -> None:
        self.index = index
        self.memory: weakref.WeakValueDictionary[int, FakeBuffer] = weakref.WeakValueDictionary()
        self.streams = {0: FakeStream(0)}
        self.active: set[int] = set()
        self.allocations = self.synchronizations = self.trims = 0
        self.scratch: list[tuple[int, FakeRun]] = []
        self.freed: dict[int, np.ndarray] = {}
        self.capturing: set[int] = set()
        self.refuses_capture = ""
        self.clock = 0.0
        self.free = 1 << 30
        self.graphs: list[FakeGraph] = []
        self._addresses = itertools.count(0x100000, 0x100000)
        self._handles = itertools.count(1)

    def activate(self) -> None:
        self.active.add(threading.get_ident())

    def create_stream(self) -> FakeStream:
        self._check_thread()
        stream = FakeStream(next(self._handles))
        self.streams[stream.handle] = stream
        return stream

    def foreign_stream(self, handle: int) -> FakeStream:
        return self.streams[handle]

    def synchronize(self, stream: FakeStream) -> None:
        self._check_thread()
        self.synchronizations += 1
        stream.run(len(stream.work))

    def order(self, before: FakeStream, after: FakeStream) -> None:
        self._check_thread()
        mark = len(before.work)
        after.work.append(lambda: before.run(mark))

    def record(self, stream: FakeStream) -> FakeEvent:
        self._check_thread()
        event = FakeEvent(stream)

        def work() -> None:
            event.time = self.clock

        stream.work.append(work)
        return event

    def follow(self, event: FakeEvent, stream: FakeStream) -> None:
        self._check_thread()
        stream.work.append(lambda: event.stream.run(event.mark))

    def wait(self, event: FakeEvent) -> None:
        self._check_thread()
        self.synchronizations += 1
        event.stream.run(event.mark)

    def elapsed(self, start: FakeEvent, end: FakeEvent) -> float:
        self._check_thread()
        for event in (start, end):
            event.stream.run(event.mark)
        return end.time - start.time

    def trim(self) -> None:
        self.trims += 1

    def free_memory(self) -> int:
        return self.free - sum(buffer.nbytes for buffer in list(self.memory.values()) if not buffer.on_host)

    def capture(self, queue: Callable[[], None], stream: FakeStream) -> FakeGraph:
        self._check_thread()
        if self.refuses_capture:
            raise DeviceError(self.refuses_capture)
        with stream.lock:
            mark = len(stream.work)
            self.capturing.add(threading.get_ident())
            try:
                queue()
            finally:
                self.capturing.discard(threading.get_ident())
            self.graphs.append(FakeGraph(stream.work[mark:]))
            del stream.work[mark:]
        return self.graphs[-1]

    def allocate(self, nbytes: int, stream: FakeStream) -> FakeBuffer:
        assert stream is self.streams[stream.handle]
        buffer = self.buffer(nbytes)
        weakref.finalize(buffer, self._free, buffer.address, buffer.raw, stream)
        return buffer

    def _free(self, address: int, raw: np.ndarray, stream: FakeStream) -> None:
        """Memory goes once the stream that it was allocated on has got so far."""
        if stream.done == len(stream.work):
            return
        self.freed[address] = raw
        stream.work.append(lambda: self.freed.pop(address))

    def allocate_host(self, nbytes: int) -> FakeBuffer:
        return self.buffer(nbytes, on_host=True)

    def upload(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: FakeStream) -> None:
        assert source.on_host and not target.on_host
        self._copy(source, target, nbytes, stream)

    def upload_pageable(self, source: np.ndarray, target: FakeBuffer, stream: FakeStream) -> None:
        assert source.flags.c_contiguous
        staged = self.buffer(source.nbytes, on_host=True)
        staged.raw[:] = source.reshape(-1).view(np.uint8)
        self._copy(staged, target, source.nbytes, stream)
        stream.work.append(lambda: staged.nbytes)  # which keeps it

    def download(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: FakeStream) -> None:
        assert target.on_host and not source.on_host
        self._copy(source, target, nbytes, stream)

    def zero(self, target: FakeBuffer, start: int, nbytes: int, stream: FakeStream) -> None:
        self._check_thread()
        assert start >= 0 and start + nbytes <= target.nbytes
        address = target.address

        def work() -> None:
            assert address in self.memory, "memory was dropped before it was set"
            self.memory[address].raw[start : start + nbytes] = 0

        stream.work.append(work)

    def copy(self, source: FakeBuffer, address: int, nbytes: int, stream: FakeStream) -> None:
        self._check_thread()
        assert nbytes <= source.nbytes
        at = source.address

        def work() -> None:
            assert at in self.memory, "memory was dropped before its copy was done"
            self.clock += 1
            self.at(address, nbytes)[:] = self.memory[at].raw[:nbytes]

        if nbytes:
            stream.work.append(work)

    def buffer(self, nbytes: int, on_host: bool = False) -> FakeBuffer:
        self._check_thread()
        assert nbytes > 0, "CUDA allocates no empty buffers"
        buffer = FakeBuffer(next(self._addresses), nbytes, on_host)
        self.memory[buffer.address] = buffer
        self.allocations += 1
        return buffer

    def at(self, address: int, nbytes: int) -> np.ndarray:
        """The device memory at an address. Fails if it is not all there."""
        assert address % 256 == 0, "TensorRT wants addresses aligned to 256 bytes"
        there = {buffer.address: buffer.raw for buffer in list(self.memory.values()) if not buffer.on_host}
        for start, raw in {**there, **self.freed}.items():
            if start <= address < start + raw.size:
                assert address + nbytes <= start + raw.size
                return raw[address - start :][:nbytes]
        raise AssertionError("an address of memory that is not there, or not any more")

    def _copy(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: FakeStream) -> None:
        self._check_thread()
        assert nbytes <= source.nbytes and nbytes <= target.nbytes
        source.users += 1
        target.users += 1
        # by address: a queue does not keep the memory of a real stream alive
        addresses = source.address, target.address

        def work() -> None:
            assert all(address in self.memory for address in addresses), "memory was dropped before its copy was done"
            a, b = (self.memory[address] for address in addresses)
            self.clock += 1
            b.raw[:nbytes] = a.raw[:nbytes]
            a.users -= 1
            b.users -= 1

        stream.work.append(work)

    def _check_thread(self) -> None:
        assert threading.get_ident() in self.active, "the device is not the current one of this thread"
