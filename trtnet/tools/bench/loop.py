"""The measurement: queries on several streams, each with the next queued before the last is waited for."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from trtnet.runtime.cuda.interface import Device, Event
from trtnet.runtime.serving.shared_context import Stages
from trtnet.runtime.serving.slot import Slot
from trtnet.tools.bench.timed_inference import TimedInference

Arrays = Mapping[str, Any]

SLOTS = 2
"""Inferences of one stream that are under way at once: one runs, the next is queued behind it."""
PREPARATIONS = 3
"""Executions before any is timed: kernels are compiled in the first, a CUDA graph is captured in the second."""


@dataclass(frozen=True)
class Limits:
    """How long to measure.

    warm_up: milliseconds whose queries do not count. duration: seconds that follow. iterations: queries of each stream
    that count, at least, however long that takes.
    """

    warm_up: float = 200.0
    duration: float = 3.0
    iterations: int = 10


@dataclass(frozen=True)
class Origin:
    """The moment that all times are counted from, on the GPU's clock and on the host's."""

    event: Event
    host: float

    @classmethod
    def now(cls, device: Device, stream: Any) -> Origin:
        device.synchronize(stream)
        event = device.record(stream)
        device.synchronize(stream)
        return cls(event, time.perf_counter())

    def host_ms(self) -> float:
        return (time.perf_counter() - self.host) * 1e3


@dataclass
class Query:
    """An inference under way: its events on the GPU, and when the host queued it."""

    events: list[Event]
    enqueue: tuple[float, float]


@dataclass
class Lane:
    """One of the streams that run side by side, with slots that take turns.

    transfers: whether each query moves inputs and outputs, too.
    """

    number: int
    device: Device
    stages: Stages
    slots: Sequence[Slot]
    transfers: bool
    _active: dict[int, Query] = field(default_factory=dict)
    _next: int = 0

    def first(self, inputs: Arrays) -> dict[str, Any]:
        """One inference, and its outputs."""
        return _run(self.slots[0], inputs, executions=1)

    def prepare(self, inputs: Arrays) -> None:
        """Fills all slots and runs them until nothing is left to compile or capture."""
        for slot in self.slots:
            _run(slot, inputs, PREPARATIONS)

    def query(self, origin: Origin) -> None:
        """Queues the next inference."""
        slot, stages = self.slots[self._next], self.stages
        events = []
        if self.transfers:
            events.append(self.device.record(stages.upload))
            slot.upload()
            events.append(self.device.record(stages.upload))
            # before the event, so that the wait for the inputs does not count as computing
            self.device.order(stages.upload, stages.compute)
        events.append(self.device.record(stages.compute))
        start = origin.host_ms()
        slot.compute()
        enqueue = start, origin.host_ms()
        events.append(self.device.record(stages.compute))
        if self.transfers:
            self.device.order(stages.compute, stages.download)
            events.append(self.device.record(stages.download))
            slot.download()
            events.append(self.device.record(stages.download))
        self._active[self._next] = Query(events, enqueue)
        self._next = (self._next + 1) % len(self.slots)

    def sync(self, origin: Origin) -> list[TimedInference]:
        """Waits for the inference in the slot of the next one; none if the slot is free."""
        query = self._active.pop(self._next, None)
        return [] if query is None else [self._sample(query, origin)]

    def drain(self, origin: Origin) -> list[TimedInference]:
        """Waits for all inferences under way."""
        samples = [self._sample(query, origin) for query in self._active.values()]
        self._active.clear()
        return samples

    def _sample(self, query: Query, origin: Origin) -> TimedInference:
        moments = [self.device.elapsed(origin.event, event) for event in query.events]
        if not self.transfers:
            begin, end = moments
            moments = [begin, begin, begin, end, end, end]
        h2d, compute, d2h = zip(moments[0::2], moments[1::2], strict=True)
        return TimedInference(self.number, query.enqueue, h2d, compute, d2h)


def measure(lanes: Sequence[Lane], limits: Limits) -> tuple[TimedInference, ...]:
    """The inferences after the warm-up, of all lanes, in the order in which they began.

    The lanes must be prepared. As trtexec's loop: each turn queues a query on every lane, then waits for the one that
    the lane queued before it. Python's garbage collector is off meanwhile.
    """
    origin = Origin.now(lanes[0].device, lanes[0].stages.compute)
    samples: list[TimedInference] = []
    until = limits.warm_up + 1e3 * limits.duration
    turns, now = 0, 0.0
    with _no_garbage_collection():
        while turns < limits.iterations or now < until:
            for lane in lanes:
                lane.query(origin)
            done = [sample for lane in lanes for sample in lane.sync(origin)]
            samples += done
            now = max((sample.compute[0] for sample in done), default=now)
            turns += bool(done) and now >= limits.warm_up
        samples += [sample for lane in lanes for sample in lane.drain(origin)]
    timed = (sample for sample in samples if sample.compute[0] >= limits.warm_up)
    return tuple(sorted(timed, key=lambda sample: sample.h2d[0]))


def _run(slot: Slot, inputs: Arrays, executions: int) -> dict[str, Any]:
    slot.fill(inputs)
    slot.upload()
    for _ in range(executions):
        slot.compute()
    slot.download()
    return {name: array.copy() for name, array in slot.results().items()}


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
