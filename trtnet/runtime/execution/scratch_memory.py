"""Scratch memory that several execution contexts take turns in, instead of holding some each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trtnet.runtime.cuda.interface import Device, Event, Memory, Stream


class ActivationMemory:
    """Memory for activations while an engine runs; it grows to what the largest call needs.

    Sessions that share it, of one engine or of several on the same GPU, run one after another on the GPU, from any
    thread and stream: ``engine.session(memory=memory)``. nbytes: its current size. address: where it is, 0 before it
    is allocated.
    """

    def __init__(self, device: Device) -> None:
        device.activate()
        self.device = device
        # memory comes and goes in the order of a stream of its own, as those of sessions may be gone before it
        self._stream = device.create_stream()
        self._buffer: Memory | None = None
        self._used: Event | None = None
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        return 0 if self._buffer is None else self._buffer.nbytes

    @property
    def address(self) -> int:
        return 0 if self._buffer is None else self._buffer.address

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Other sessions queue nothing meanwhile."""
        with self._lock:
            yield

    @contextmanager
    def used_on(self, stream: Stream) -> Iterator[None]:
        """In a turn: what is queued on the stream inside runs after all that used the memory before."""
        if self._used is not None:
            self.device.follow(self._used, stream)
        try:
            yield
        finally:
            self._used = self.device.record(stream)

    def grow(self, nbytes: int, stream: Stream) -> None:
        """In use on a stream: sees to at least so many bytes."""
        if nbytes <= self.nbytes and self._buffer is not None:
            return
        self.device.order(stream, self._stream)  # the old memory is freed after its last use
        self._buffer = None
        self._buffer = self.device.allocate(max(nbytes, 1), self._stream)
        self.device.order(self._stream, stream)
