"""An engine made of the reference executor, and its execution contexts, which check how they are used."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from typing import Any

import numpy as np
import torch
from helpers.runtime.fakes.device import FakeDevice, FakeRun
from helpers.runtime.fakes.runtime_cache import FakeRuntimeConfig

from trtnet.builder import Plan
from trtnet.builder.collectives import CHECK
from trtnet.reference import Reference
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.call_interface import by_name


def alone(method: Any) -> Any:
    """A method of a context, which only one thread may be in."""

    @functools.wraps(method)
    def checked(self: FakeContext, *args: Any) -> Any:
        assert self.busy.acquire(blocking=False), "two threads use one context"
        try:
            time.sleep(0)
            return method(self, *args)
        finally:
            self.busy.release()

    return checked


class FakeContext:
    def __init__(self, engine: FakeEngine, profile: int) -> None:
        self.engine = engine
        self.active_optimization_profile = profile
        self.error_recorder: Any = None
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.allocators: dict[str, Any] = {}
        self.profiles: list[int] = [profile]
        self.executions = self.inferences = 0
        self.needs_memory = False
        self.memory = (0, 0)
        self.profiler: Any = None
        self.nvtx_verbosity: Any = None
        self.busy = threading.Lock()
        self.executed: dict[str, tuple[int, ...]] = {}

    def refuse(self, what: str) -> bool:
        """Whether the test wants this to fail; if so, says so as TensorRT does."""
        if self.engine.refuses != what:
            return False
        self.error_recorder.report_error(trt.ErrorCodeTRT.INTERNAL_ERROR, f"no {what} today")
        return True

    @alone
    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        assert stream in self.engine.device.streams
        if self.refuse("profile"):
            return False
        self.engine.look_up()
        self.active_optimization_profile = profile
        self.profiles.append(profile)
        self.shapes.clear()
        return True

    @alone
    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        if self.refuse("shape"):
            return False
        assert self.active_optimization_profile >= 0, "no profile is set"
        assert name not in self.engine.host
        low, _, high = self.engine.plan.info.profiles[self.active_optimization_profile][name]
        assert all(a <= size <= b for a, size, b in zip(low, shape, high, strict=True))
        self.shapes[name] = tuple(shape)
        return True

    @alone
    def infer_shapes(self) -> list[str]:
        self.inferences += 1
        if self.refuse("inference"):
            raise RuntimeError("shape inference failed")
        for name in self.engine.host & set(self.addresses):
            low, _, high = self.engine.plan.info.profiles[self.active_optimization_profile][name]
            values = self._on_host(name).reshape(-1)
            assert all(a <= value <= b for a, value, b in zip(low, values, high, strict=True))
        known = set(self.shapes) | self.engine.host & set(self.addresses)
        return [info.name for info in self.engine.plan.info.inputs if info.name not in known]

    @alone
    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if self.engine.refuses == "allocator":
            return (-1, 3)
        if name in self.engine.dependent:
            return (-1,) * len(next(info.shape for info in self.engine.plan.info.outputs if info.name == name))
        arrays = {n: np.ones(shape, self._dtype(n)) for n, shape in self.shapes.items()}
        return self._run(arrays | {n: self._on_host(n) for n in self.engine.host})[name].shape

    @alone
    def set_tensor_address(self, name: str, address: int) -> bool:
        if self.refuse("address"):
            return False
        self.addresses[name] = address
        return True

    @alone
    def set_communicator(self, communicator: Any) -> bool:
        if self.refuse("communicator"):
            return False
        self.engine.communicators.append(communicator)
        return True

    @alone
    def update_device_memory_size_for_shapes(self) -> int:
        return self._scratch()

    @alone
    def set_device_memory(self, address: int, nbytes: int) -> None:
        assert self.needs_memory
        self.memory = (address, nbytes)

    def _scratch(self) -> int:
        return 1000 * max(int(np.prod(shape)) for shape in self.shapes.values())

    @alone
    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        if self.refuse("allocator"):
            return False
        assert name in self.engine.dependent
        self.allocators[name] = allocator
        return True

    @alone
    def execute_async_v3(self, stream: int) -> bool:
        info = self.engine.plan.info
        assert set(self.shapes) | self.engine.host == {i.name for i in info.inputs}, "a shape is missing"
        placed = {*self.addresses, *self.allocators}
        sums = {CHECK} if info.ranks > 1 else set()
        assert placed == {i.name for i in (*info.inputs, *info.outputs)} | sums, "an address is missing"
        if self.refuse("execution"):
            return False
        if self.shapes != self.executed:
            self.engine.look_up()
            self.executed = dict(self.shapes)
        self.executions += 1
        for name in self.engine.layers if self.profiler is not None else ():
            self.profiler.report_layer_time(name, 0.25 * self.executions)
        shapes, addresses = dict(self.shapes), dict(self.addresses)
        queue = self.engine.device.streams[stream]
        if self.allocators:
            queue.run(len(queue.work))  # TensorRT waits for the data, too
            for name, array in self._run(self._inputs(shapes, addresses)).items():
                if name in self.allocators and not self._place(name, array, addresses, stream):
                    return False
        run = self._use_scratch() if self.needs_memory else FakeRun()
        queue.work.append(lambda: self._execute(shapes, addresses, run))
        return True

    def _use_scratch(self) -> FakeRun:
        """Fails if an execution runs before one that was queued earlier with the same scratch memory."""
        address, nbytes = self.memory
        assert nbytes >= self._scratch(), "too little scratch memory"
        device = self.engine.device
        before = [other for at, other in device.scratch if at == address]
        run = FakeRun(lambda: self._check_scratch(address, nbytes, before))
        if threading.get_ident() not in device.capturing:
            device.scratch.append((address, run))
        return run

    def _check_scratch(self, address: int, nbytes: int, before: list[FakeRun]) -> None:
        self.engine.device.at(address, nbytes)
        assert all(run.done for run in before), "two executions use one scratch memory at once"

    def _place(self, name: str, array: np.ndarray, addresses: dict[str, int], stream: int) -> bool:
        """Asks for the memory of an output as TensorRT does: first for more than it needs."""
        allocator, address = self.allocators[name], 0
        for nbytes in (array.nbytes + 100, array.nbytes):
            address = allocator.reallocate_output_async(name, address, nbytes, 256, stream)
            if not address:
                self.error_recorder.report_error(trt.ErrorCodeTRT.INTERNAL_ERROR, f"no memory for {name}")
                return False
        allocator.notify_shape(name, trt.Dims(array.shape))
        addresses[name] = address
        return True

    def _inputs(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int]) -> dict[str, np.ndarray]:
        device, inputs = self.engine.device, {}
        for name, shape in shapes.items():
            dtype = self._dtype(name)
            raw = device.at(addresses[name], int(np.prod(shape)) * dtype.itemsize)
            inputs[name] = raw.view(dtype).reshape(shape)
        return inputs | {name: self._on_host(name, addresses[name]) for name in self.engine.host}

    def _on_host(self, name: str, address: int | None = None) -> np.ndarray:
        """What is now where an input in host memory was said to be."""
        (info,) = (info for info in self.engine.plan.info.inputs if info.name == name)
        dtype = self._dtype(name)
        raw = ctypes.string_at(address or self.addresses[name], int(np.prod(info.shape)) * dtype.itemsize)
        return np.frombuffer(raw, dtype).reshape(info.shape)

    def _execute(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int], run: FakeRun) -> None:
        device = self.engine.device
        run.check()
        run.done = True
        device.clock += 1
        for name, array in self._run(self._inputs(shapes, addresses)).items():
            raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            device.at(addresses[name], raw.size)[:] = raw
        if CHECK in addresses:
            device.at(addresses[CHECK], 4).view(np.float32)[0] = self.engine.sum_of_ranks

    def _run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with self.engine.lock, torch.inference_mode():
            result = self.engine.reference(**inputs)
        return by_name(result, self.engine.plan.info.outputs)

    def _dtype(self, name: str) -> np.dtype:
        (info,) = (info for info in self.engine.plan.info.inputs if info.name == name)
        return dtypes.get(info.dtype).numpy


class FakeEngine:
    """Makes contexts that run the network's reference.

    refuses: what shall fail from now on ("profile", "shape", "inference", "allocator", "address", "execution",
    "context", "communicator"). later_profile: the profile of all contexts but the first. host: the names of tensors in
    host memory. layers: what a profiler is told of each execution. dependent: outputs whose shape TensorRT does not
    know before it has seen the data. communicators: those that contexts were given; sum_of_ranks: what their
    collectives sum the numbers of ranks to. looked_up: how often kernels were, by one thread at a time.
    """

    def __init__(self, plan: Plan, reference: Reference, device: FakeDevice, dependent: frozenset[str]) -> None:
        self.plan, self.reference, self.device = plan, reference, device
        self.contexts: list[FakeContext] = []
        self.lock = threading.Lock()
        self.refuses = ""
        self.later_profile = 0
        self.host = {info.name for info in plan.info.inputs if info.values}
        self.dependent = dependent
        self.config: FakeRuntimeConfig | None = None
        self.aliases: dict[str, str] = {}
        self.layers: list[str] = []
        self.communicators: list[Any] = []
        self.sum_of_ranks = 0.0
        self.looked_up = 0
        self._looking = threading.Lock()

    def look_up(self) -> None:
        assert self._looking.acquire(blocking=False), "two threads look kernels up at once"
        time.sleep(1e-3)
        self.looked_up += 1
        self._looking.release()

    def get_aliased_input_tensor(self, name: str) -> str:
        return self.aliases.get(name, "")

    def get_tensor_location(self, name: str) -> Any:
        return trt.TensorLocation.HOST if name in self.host else trt.TensorLocation.DEVICE

    def create_runtime_config(self) -> FakeRuntimeConfig:
        return FakeRuntimeConfig()

    def create_execution_context(self, how: Any = None) -> FakeContext | None:
        """how: a configuration, a strategy, or nothing."""
        self.config = how if isinstance(how, FakeRuntimeConfig) else None
        if self.refuses == "context":
            return None
        self.look_up()
        strategy = how if self.config is None else self.config.allocation
        self.contexts.append(FakeContext(self, self.later_profile if self.contexts else 0))
        self.contexts[-1].needs_memory = strategy == trt.ExecutionContextAllocationStrategy.USER_MANAGED
        return self.contexts[-1]
