"""The GPU as the runtime uses it: streams, buffers, copies. ``runtime.cuda`` is the one real implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class Stream(Protocol):
    """A queue of work on the GPU. handle: its ``cudaStream_t``, as TensorRT takes it."""

    @property
    def handle(self) -> int: ...


class Memory(Protocol):
    """Memory of a fixed size. address: where it begins. nbytes: its size."""

    @property
    def address(self) -> int: ...

    @property
    def nbytes(self) -> int: ...


class HostBuffer(Memory, Protocol):
    """Page-locked host memory. bytes: the same memory as a writable uint8 array, valid while the buffer lives."""

    @property
    def bytes(self) -> Bytes: ...


class Graph(Protocol):
    """Work that was captured, to be queued again as one piece."""

    def launch(self, stream: Stream) -> None: ...


class Event(Protocol):
    """A moment in a stream's work, with its time."""


class Device(Protocol):
    """What the runtime asks of a GPU. index: its number, as torch counts. name: its product name."""

    @property
    def index(self) -> int: ...

    @property
    def name(self) -> str: ...

    def activate(self) -> None:
        """Makes the device the calling thread's."""

    def create_stream(self) -> Stream: ...

    def foreign_stream(self, handle: int) -> Stream:
        """A stream that another library made and keeps. 0 is the default stream."""

    def synchronize(self, stream: Stream) -> None:
        """Waits until everything queued on the stream is done."""

    def order(self, before: Stream, after: Stream) -> None:
        """Lets what is queued on `after` from now on wait for what is queued on `before` so far."""

    def record(self, stream: Stream) -> Event:
        """Marks the moment when what is queued on the stream so far is done."""

    def follow(self, event: Event, stream: Stream) -> None:
        """Lets what is queued on the stream from now on wait for a moment, of another stream's work."""

    def wait(self, event: Event) -> None:
        """Waits until a moment has come."""

    def elapsed(self, start: Event, end: Event) -> float:
        """Milliseconds between two moments on the GPU's clock; waits for the second."""

    def free_memory(self) -> int:
        """Bytes of device memory that nobody holds, in this process or another."""

    def trim(self) -> None:
        """Gives the memory of buffers that are gone back to the driver, where the device keeps it for the next ones."""

    def capture(self, queue: Callable[[], None], stream: Stream) -> Graph:
        """What `queue` queues on the stream, as a graph; it is not run. Raises DeviceError if CUDA cannot."""

    def allocate(self, nbytes: int, stream: Stream) -> Memory:
        """Device memory, usable and freed in the order of the stream."""

    def allocate_host(self, nbytes: int) -> HostBuffer:
        """Page-locked memory. No work that uses it may be under way when it is dropped."""

    def upload(self, source: HostBuffer, target: Memory, nbytes: int, stream: Stream) -> None:
        """Queues a copy of the first `nbytes`."""

    def upload_pageable(self, source: np.ndarray[Any, Any], target: Memory, stream: Stream) -> None:
        """Queues a copy of a contiguous array, which may be changed as soon as this returns."""

    def download(self, source: Memory, target: HostBuffer, nbytes: int, stream: Stream) -> None:
        """Queues a copy of the first `nbytes`."""

    def zero(self, target: Memory, start: int, nbytes: int, stream: Stream) -> None:
        """Queues zeros for `nbytes` from the byte `start` on."""

    def copy(self, source: Memory, address: int, nbytes: int, stream: Stream) -> None:
        """Queues a copy of the first `nbytes` to an address on the same GPU."""
