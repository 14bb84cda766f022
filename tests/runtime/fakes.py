"""A GPU made of numpy and an engine made of the reference executor: they check how the runtime uses them."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trtnet import dtypes
from trtnet.builder import Plan
from trtnet.diagnostics import ErrorRecorder
from trtnet.reference import Reference
from trtnet.runtime.session import OpenEngine


@dataclass
class FakeBuffer:
    address: int
    bytes: np.ndarray

    @property
    def nbytes(self) -> int:
        return self.bytes.size


class FakeDevice:
    """Streams queue work that runs when they are synchronized, so that reading too early reads garbage."""

    def __init__(self) -> None:
        self.memory: dict[int, FakeBuffer] = {}
        self.queues: dict[int, list[Any]] = {}
        self.active: set[int] = set()
        self.waits: list[tuple[int, Any]] = []
        self._addresses = itertools.count(0x1000, 0x100000)

    def activate(self) -> None:
        self.active.add(threading.get_ident())

    def create_stream(self) -> int:
        self._check_thread()
        stream = len(self.queues) + 1
        self.queues[stream] = []
        return stream

    def synchronize(self, stream: int) -> None:
        self._check_thread()
        queue, self.queues[stream] = self.queues[stream], []
        for work in queue:
            work()

    def record(self, stream: int) -> tuple[int, int]:
        return stream, len(self.queues[stream])

    def wait(self, stream: int, mark: tuple[int, int]) -> None:
        self.waits.append((stream, mark))
        self.queues[stream].append(lambda: self.synchronize(mark[0]))

    def allocate(self, nbytes: int, stream: int) -> FakeBuffer:
        assert stream in self.queues
        return self._buffer(nbytes)

    def allocate_host(self, nbytes: int) -> FakeBuffer:
        return self._buffer(nbytes)

    def upload(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: int) -> None:
        self._copy(source, target, nbytes, stream)

    def download(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: int) -> None:
        self._copy(source, target, nbytes, stream)

    def _copy(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: int) -> None:
        self._check_thread()
        assert nbytes <= source.nbytes and nbytes <= target.nbytes

        def work() -> None:
            target.bytes[:nbytes] = source.bytes[:nbytes]

        self.queues[stream].append(work)

    def _buffer(self, nbytes: int) -> FakeBuffer:
        buffer = FakeBuffer(next(self._addresses), np.full(nbytes, 0xCD, np.uint8))
        self.memory[buffer.address] = buffer
        return buffer

    def _check_thread(self) -> None:
        assert threading.get_ident() in self.active, "the device is not the current one of this thread"


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.profiles: list[int] = [0]
        self.executions = 0
        self.busy = threading.Lock()

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        self.profiles.append(profile)
        self.shapes.clear()
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        profile = self.engine.plan.info.profiles[self.profiles[-1]][name]
        assert all(low <= size <= high for low, size, high in zip(profile[0], shape, profile[2], strict=True))
        self.shapes[name] = tuple(shape)
        return True

    def infer_shapes(self) -> list[str]:
        return [info.name for info in self.engine.plan.info.inputs if info.name not in self.shapes]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._run({n: np.ones(self.shapes[n], self._dtype(n)) for n in self.shapes})[name].shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert self.busy.acquire(blocking=False), "two threads use one context"
        try:
            self.executions += 1
            shapes, addresses = dict(self.shapes), dict(self.addresses)
            wanted = {info.name for info in (*self.engine.plan.info.inputs, *self.engine.plan.info.outputs)}
            assert set(addresses) == wanted, "an address is missing"
            self.engine.device.queues[stream].append(lambda: self._execute(shapes, addresses))
            return not self.engine.fails
        finally:
            self.busy.release()

    def _execute(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int]) -> None:
        memory = self.engine.device.memory
        inputs = {}
        for name, shape in shapes.items():
            dtype = self._dtype(name)
            count = int(np.prod(shape)) * dtype.itemsize
            inputs[name] = memory[addresses[name]].bytes[:count].view(dtype).reshape(shape)
        for name, array in self._run(inputs).items():
            raw = np.ascontiguousarray(array).view(np.uint8).ravel()
            memory[addresses[name]].bytes[: raw.size] = raw

    def _run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with self.engine.lock, torch.inference_mode():
            result = self.engine.reference(**inputs)
        return result if isinstance(result, dict) else {self.engine.plan.info.outputs[0].name: result}

    def _dtype(self, name: str) -> np.dtype:
        (info,) = (info for info in self.engine.plan.info.inputs if info.name == name)
        return dtypes.get(info.dtype).numpy


class FakeEngine:
    """Makes contexts that run the network's reference."""

    def __init__(self, plan: Plan, reference: Reference, device: FakeDevice) -> None:
        self.plan, self.reference, self.device = plan, reference, device
        self.contexts: list[FakeContext] = []
        self.lock = threading.Lock()
        self.fails = False

    def create_execution_context(self) -> FakeContext:
        self.contexts.append(FakeContext(self))
        return self.contexts[-1]


class Opener:
    """Opens plans on a fake device, and counts how often."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.device = FakeDevice()
        self.recorder = ErrorRecorder()
        self.engines: list[FakeEngine] = []

    def __call__(self, plan: Plan) -> OpenEngine:
        self.engines.append(FakeEngine(plan, self.reference, self.device))
        return OpenEngine(self.engines[-1], self.device, self.recorder, plan.info)
