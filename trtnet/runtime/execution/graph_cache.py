"""CUDA graphs of a context's executions: one launch instead of TensorRT's many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import TypeVar

from trtnet.runtime.cuda.interface import Device, Graph
from trtnet.runtime.execution.stream_order import Order
from trtnet.support.errors import TrtnetError

log = logging.getLogger("trtnet.runtime")

GRAPHS = 8
"""How many graphs are kept."""
PAUSE = 32
"""Executions between two captures once all graphs are there: to capture takes longer than to execute without."""

T = TypeVar("T")


class Graphs:
    """The graphs of one context, by what they depend on: profile, shapes and addresses.

    An execution is captured after it came a second time, so that addresses used once cost nothing. The eight graphs
    that were used last are kept; where more executions than that take turns, one in 32 is captured.
    refused: why there are none, after :meth:`refuse` or a capture that failed; executions are queued one by one from
    then on.
    """

    def __init__(self, device: Device, order: Order) -> None:
        self._device, self._order = device, order
        self._graphs: dict[Hashable, Graph] = {}
        self._seen: dict[Hashable, None] = {}
        self._queued = 0
        self.refused = ""

    def refuse(self, reason: str) -> None:
        """Captures nothing from now on."""
        self.refused = reason

    def find(self, key: Hashable) -> Graph | None:
        """The graph to launch, or None if the execution must be queued."""
        graph = self._graphs.pop(key, None)
        if graph is not None:
            self._graphs[key] = graph  # the last one to go
        return graph

    def close(self) -> None:
        """Drops the graphs; none may be running."""
        self._graphs.clear()
        self._seen.clear()

    def learn(self, key: Hashable, queue: Callable[[], None]) -> None:
        """After an execution was queued: captures it if it has come before. queue: queues it once more."""
        if self.refused:
            return
        self._queued += 1
        if key not in self._seen:
            _keep(self._seen, key, None, 4 * GRAPHS)
            return
        if len(self._graphs) == GRAPHS and self._queued < PAUSE:
            return
        self._queued = 0
        try:
            graph = self._device.capture(queue, self._order.own)
        except TrtnetError as error:
            self.refuse(str(error))
            log.warning("no CUDA graph, the session queues each execution instead: %s", error)
            return
        if len(self._graphs) == GRAPHS:
            self._order.drain()  # the one that goes may be running
        _keep(self._graphs, key, graph, GRAPHS)


def _keep(kept: dict[Hashable, T], key: Hashable, value: T, limit: int) -> None:
    if len(kept) == limit:
        del kept[next(iter(kept))]
    kept[key] = value
