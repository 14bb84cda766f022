"""An engine on the GPU whose executions are captured many at a time, so that the host's work is not part of the
time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trtnet.runtime.execution.context import Context
from trtnet.runtime.execution.pinned_buffers import Staging
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.call_interface import TensorInfo

Arrays = Mapping[str, np.ndarray[Any, Any]]
SAMPLE = 2.0
"""Milliseconds of one sample, about: CUDA's events are exact to half a microsecond."""
GRAPH = 0.5
"""Milliseconds of one graph: the host launches the next one meanwhile."""
MOST = 64
"""Executions in one graph."""


class Repeated:
    """One set of inputs in one execution context. Raises as an engine's first call, and DeviceError without graphs."""

    def __init__(self, opened: OpenEngine, inputs: Arrays) -> None:
        self._device, self._info = opened.device, opened.info
        self._device.activate()
        self._stream = self._device.create_stream()
        self._context = Context(opened, graphs="captured")
        self._staging = Staging(self._device, self._stream, self._context.aliases)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses = self._prepared(inputs)
        self._context.execute(self._addresses, self._stream.handle)
        self.outputs = self._downloaded()
        once = self._device.capture(self._queue(1), self._stream)
        once.launch(self._stream)
        single = self._milliseconds(once, 1)
        self._executions = max(1, min(MOST, round(GRAPH / max(single, 1e-3))))
        self._launches = max(1, round(SAMPLE / max(single * self._executions, 1e-3)))
        self._graph = (
            once if self._executions == 1 else self._device.capture(self._queue(self._executions), self._stream)
        )

    def sample(self) -> float:
        """Milliseconds of an execution, of several behind one another."""
        return self._milliseconds(self._graph, self._launches) / self._executions

    def close(self) -> None:
        """Gives everything back."""
        self._device.synchronize(self._stream)
        del self._graph
        self._context.close()
        del self._staging

    def _queue(self, count: int) -> Any:
        def queue() -> None:
            for _ in range(count):
                self._context.execute(self._addresses, self._stream.handle)

        return queue

    def _milliseconds(self, graph: Any, launches: int) -> float:
        """Of one launch, after one that is not timed."""
        graph.launch(self._stream)
        start = self._device.record(self._stream)
        for _ in range(launches):
            graph.launch(self._stream)
        return self._device.elapsed(start, self._device.record(self._stream)) / launches

    def _prepared(self, inputs: Arrays) -> dict[str, int]:
        """The addresses of inputs, which are on the GPU then, and of outputs."""
        told = {info.name: _told(info, inputs[info.name]) for info in self._info.inputs}
        self._shapes = dict(self._context.set_shapes(told, 0, self._stream.handle))
        for info in self._info.inputs:
            if not info.values:
                self._staging.upload(info, np.ascontiguousarray(inputs[info.name]))
        for info in self._info.outputs:
            self._staging.grow(info, self._shapes[info.name])
        self._device.synchronize(self._stream)
        return self._staging.addresses()

    def _downloaded(self) -> dict[str, np.ndarray[Any, Any]]:
        for info in self._info.outputs:
            self._staging.download(info, self._shapes[info.name])
        self._device.synchronize(self._stream)
        return {info.name: self._staging.array(info, self._shapes[info.name]).copy() for info in self._info.outputs}


def _told(info: TensorInfo, array: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """An input's shape; of one that says sizes, its values."""
    return tuple(map(int, array.reshape(-1))) if info.values else tuple(array.shape)
