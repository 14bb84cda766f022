"""An engine on the GPU whose executions are captured many at a time, so that the host's work is not part of the
time."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from trtnet.runtime.cuda.interface import Memory
from trtnet.runtime.execution.context import Context
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support import dtypes
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
        self._buffers: dict[str, Memory] = {}
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
        self._buffers.clear()

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
                array = np.ascontiguousarray(inputs[info.name])
                self._buffers[info.name] = self._device.allocate(max(array.nbytes, 1), self._stream)
                self._device.upload_pageable(array, self._buffers[info.name], self._stream)
        for info in self._info.outputs:
            if info.name not in self._context.aliases:
                nbytes = dtypes.get(info.dtype).nbytes(prod(self._shapes[info.name]))
                self._buffers[info.name] = self._device.allocate(max(nbytes, 1), self._stream)
        shared = {output: self._buffers[name].address for output, name in self._context.aliases.items()}
        self._device.synchronize(self._stream)
        return {name: buffer.address for name, buffer in self._buffers.items()} | shared

    def _downloaded(self) -> dict[str, np.ndarray[Any, Any]]:
        return {info.name: self._download(info) for info in self._info.outputs}

    def _download(self, info: TensorInfo) -> np.ndarray[Any, Any]:
        shape, dtype = self._shapes[info.name], dtypes.get(info.dtype)
        nbytes = dtype.nbytes(prod(shape))
        buffer = self._buffers[self._context.aliases.get(info.name, info.name)]
        host = self._device.allocate_host(max(nbytes, 1))
        self._device.download(buffer, host, nbytes, self._stream)
        self._device.synchronize(self._stream)
        return host.bytes[:nbytes].view(dtype.numpy).reshape(shape).copy()


def _told(info: TensorInfo, array: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """An input's shape; of one that says sizes, its values."""
    return tuple(map(int, array.reshape(-1))) if info.values else tuple(array.shape)
