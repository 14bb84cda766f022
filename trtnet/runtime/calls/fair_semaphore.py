"""A fair (FIFO) semaphore."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Turns:
    """A semaphore that is fair: whoever leaves hands on to the one that waits longest. limit: how many at once."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        try:
            gate.acquire()
        except BaseException:  # a signal's, while waiting
            self._withdraw(gate)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._free += 1

    def _withdraw(self, gate: threading.Lock) -> None:
        with self._lock:
            if gate in self._waiting:
                self._waiting.remove(gate)
            else:
                self._leave()
