"""The slots of one GPU, taken in turn, and the thread that collects their results."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.runtime.serving.shared_context import Stages
from trtnet.runtime.serving.slot import Arrays, Slot

T = TypeVar("T")


class Line:
    """Slots that go through the same stages: ``take`` one, fill it, ``start`` it; it is free again once collected.

    slots: how many; as many inferences are in flight at once at most. nvtx: as a session's; the ranges are the stages.
    """

    def __init__(self, opened: OpenEngine, slots: int, nvtx: str | None = None) -> None:
        stages = Stages(opened, nvtx=nvtx)
        self._range, self._name = stages.range, opened.info.model or "trtnet"
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for _ in range(slots):
            self._free.put(Slot(stages))
        threads = self._threads = set[threading.Thread]()
        self._collector = ThreadPoolExecutor(
            1, "trtnet-collector", initializer=lambda: threads.add(threading.current_thread())
        )

    def take(self) -> Slot:
        """A free slot; waits for one."""
        return self._free.get()

    def give(self, slot: Slot) -> None:
        """Puts a slot back that was not started."""
        self._free.put(slot)

    def start(self, slot: Slot, collect: Callable[[Arrays], T]) -> Future[T]:
        """Queues the inference of a filled slot, and returns at once.

        collect: what becomes of the outputs, called in another thread; they are views that hold no longer than the
        call. Raises TrtnetError in TensorRT's words if it fails; the slot is still the caller's then.
        """
        with self._range(f"{self._name} upload"):
            slot.upload()
        with self._range(f"{self._name} compute"):
            slot.compute()
        with self._range(f"{self._name} download"):
            slot.download()
        return self._collector.submit(self._collect, slot, collect)

    def _collect(self, slot: Slot, collect: Callable[[Arrays], T]) -> T:
        try:
            with self._range(f"{self._name} collect"):
                return collect(slot.results())
        finally:
            self._free.put(slot)

    def close(self) -> None:
        """Waits for what was started, and lets go of the slots. None may be taken afterwards."""
        # a line that is forgotten may be closed by its own thread, when that collects garbage
        self._collector.shutdown(wait=threading.current_thread() not in self._threads)
        self._free = queue.SimpleQueue()
