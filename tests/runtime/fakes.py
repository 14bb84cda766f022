"""A GPU made of numpy, an engine made of the reference executor, a torch of CUDA tensors: they check how they are used.

What a FakeDevice is told to do happens when a stream is synchronized, and not before. An assertion fails if
host memory is touched while a queued copy still needs it, a copy or an execution leaves the memory it was given, memory
is used after it was dropped, a call comes from a thread that did not activate the device, a context is used by two
threads at once, executed with an input's shape or any address unset, or given an address that is not aligned device
memory.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from trtnet.builder import Plan
from trtnet.reference import Reference
from trtnet.runtime.cuda.torch_tensors import Torch
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.call_interface import by_name
from trtnet.support.diagnostics import ErrorRecorder
from trtnet.support.errors import DeviceError

GARBAGE = 0xCD


def _done() -> None:
    """Work that has run, which keeps nothing alive any more."""


class FakeStream:
    """Queued work. done: how much of it has run. lock: one for all streams, which wait for each other."""

    lock = threading.RLock()

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.work: list[Callable[[], None]] = []
        self.done = 0

    def run(self, upto: int) -> None:
        with self.lock:
            while self.done < upto:
                self.done += 1
                work, self.work[self.done - 1] = self.work[self.done - 1], _done
                work()


class FakeBuffer:
    """Memory. users: queued copies that still need it."""

    def __init__(self, address: int, nbytes: int, on_host: bool) -> None:
        self.address, self.on_host = address, on_host
        self.raw = np.full(nbytes, GARBAGE, np.uint8)
        self.users = 0

    @property
    def nbytes(self) -> int:
        return self.raw.size

    @property
    def bytes(self) -> np.ndarray:
        assert self.on_host, "the host cannot read device memory"
        assert self.users == 0, "host memory is touched while a queued copy needs it"
        return self.raw


class FakeGraph:
    def __init__(self, work: list[Callable[[], None]]) -> None:
        self.work = work
        self.launches: list[int] = []

    def launch(self, stream: FakeStream) -> None:
        stream.work.extend(self.work)
        self.launches.append(stream.handle)


class FakeRun:
    """An execution that is queued, or done. check: fails if its scratch memory is not there, or is in use."""

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self.check, self.done = check, False


class FakeEvent:
    """time: when the work before it was done, in milliseconds of the device's clock."""

    def __init__(self, stream: FakeStream) -> None:
        self.stream, self.mark = stream, len(stream.work) + 1
        self.time: float | None = None


class FakeDevice:
    """refuses_capture: what CUDA says against graphs, "" if it captures. graphs: those it captured.

    clock: milliseconds; a copy and an execution take one each.
    """

    name = "Fake GPU"

    def __init__(self, index: int = 0) -> None:
        self.index = index
        self.memory: weakref.WeakValueDictionary[int, FakeBuffer] = weakref.WeakValueDictionary()
        self.streams = {0: FakeStream(0)}
        self.active: set[int] = set()
        self.allocations = self.synchronizations = self.trims = 0
        self.scratch: list[tuple[int, FakeRun]] = []
        self.freed: dict[int, np.ndarray] = {}
        self.capturing: set[int] = set()
        self.refuses_capture = ""
        self.clock = 0.0
        self.free = 1 << 30
        self.graphs: list[FakeGraph] = []
        self._addresses = itertools.count(0x100000, 0x100000)
        self._handles = itertools.count(1)

    def activate(self) -> None:
        self.active.add(threading.get_ident())

    def create_stream(self) -> FakeStream:
        self._check_thread()
        stream = FakeStream(next(self._handles))
        self.streams[stream.handle] = stream
        return stream

    def foreign_stream(self, handle: int) -> FakeStream:
        return self.streams[handle]

    def synchronize(self, stream: FakeStream) -> None:
        self._check_thread()
        self.synchronizations += 1
        stream.run(len(stream.work))

    def order(self, before: FakeStream, after: FakeStream) -> None:
        self._check_thread()
        mark = len(before.work)
        after.work.append(lambda: before.run(mark))

    def record(self, stream: FakeStream) -> FakeEvent:
        self._check_thread()
        event = FakeEvent(stream)

        def work() -> None:
            event.time = self.clock

        stream.work.append(work)
        return event

    def follow(self, event: FakeEvent, stream: FakeStream) -> None:
        self._check_thread()
        stream.work.append(lambda: event.stream.run(event.mark))

    def wait(self, event: FakeEvent) -> None:
        self._check_thread()
        self.synchronizations += 1
        event.stream.run(event.mark)

    def elapsed(self, start: FakeEvent, end: FakeEvent) -> float:
        self._check_thread()
        for event in (start, end):
            event.stream.run(event.mark)
        return end.time - start.time

    def trim(self) -> None:
        self.trims += 1

    def free_memory(self) -> int:
        return self.free - sum(buffer.nbytes for buffer in list(self.memory.values()) if not buffer.on_host)

    def capture(self, queue: Callable[[], None], stream: FakeStream) -> FakeGraph:
        self._check_thread()
        if self.refuses_capture:
            raise DeviceError(self.refuses_capture)
        with stream.lock:
            mark = len(stream.work)
            self.capturing.add(threading.get_ident())
            try:
                queue()
            finally:
                self.capturing.discard(threading.get_ident())
            self.graphs.append(FakeGraph(stream.work[mark:]))
            del stream.work[mark:]
        return self.graphs[-1]

    def allocate(self, nbytes: int, stream: FakeStream) -> FakeBuffer:
        assert stream is self.streams[stream.handle]
        buffer = self.buffer(nbytes)
        weakref.finalize(buffer, self._free, buffer.address, buffer.raw, stream)
        return buffer

    def _free(self, address: int, raw: np.ndarray, stream: FakeStream) -> None:
        """Memory goes once the stream that it was allocated on has got so far."""
        if stream.done == len(stream.work):
            return
        self.freed[address] = raw
        stream.work.append(lambda: self.freed.pop(address))

    def allocate_host(self, nbytes: int) -> FakeBuffer:
        return self.buffer(nbytes, on_host=True)

    def upload(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: FakeStream) -> None:
        assert source.on_host and not target.on_host
        self._copy(source, target, nbytes, stream)

    def upload_pageable(self, source: np.ndarray, target: FakeBuffer, stream: FakeStream) -> None:
        assert source.flags.c_contiguous
        staged = self.buffer(source.nbytes, on_host=True)
        staged.raw[:] = source.reshape(-1).view(np.uint8)
        self._copy(staged, target, source.nbytes, stream)
        stream.work.append(lambda: staged.nbytes)  # which keeps it

    def download(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: FakeStream) -> None:
        assert target.on_host and not source.on_host
        self._copy(source, target, nbytes, stream)

    def copy(self, source: FakeBuffer, address: int, nbytes: int, stream: FakeStream) -> None:
        self._check_thread()
        assert nbytes <= source.nbytes
        at = source.address

        def work() -> None:
            assert at in self.memory, "memory was dropped before its copy was done"
            self.clock += 1
            self.at(address, nbytes)[:] = self.memory[at].raw[:nbytes]

        if nbytes:
            stream.work.append(work)

    def buffer(self, nbytes: int, on_host: bool = False) -> FakeBuffer:
        self._check_thread()
        assert nbytes > 0, "CUDA allocates no empty buffers"
        buffer = FakeBuffer(next(self._addresses), nbytes, on_host)
        self.memory[buffer.address] = buffer
        self.allocations += 1
        return buffer

    def at(self, address: int, nbytes: int) -> np.ndarray:
        """The device memory at an address. Fails if it is not all there."""
        assert address % 256 == 0, "TensorRT wants addresses aligned to 256 bytes"
        there = {buffer.address: buffer.raw for buffer in list(self.memory.values()) if not buffer.on_host}
        for start, raw in {**there, **self.freed}.items():
            if start <= address < start + raw.size:
                assert address + nbytes <= start + raw.size
                return raw[address - start :][:nbytes]
        raise AssertionError("an address of memory that is not there, or not any more")

    def _copy(self, source: FakeBuffer, target: FakeBuffer, nbytes: int, stream: FakeStream) -> None:
        self._check_thread()
        assert nbytes <= source.nbytes and nbytes <= target.nbytes
        source.users += 1
        target.users += 1
        # by address: a queue does not keep the memory of a real stream alive
        addresses = source.address, target.address

        def work() -> None:
            assert all(address in self.memory for address in addresses), "memory was dropped before its copy was done"
            a, b = (self.memory[address] for address in addresses)
            self.clock += 1
            b.raw[:nbytes] = a.raw[:nbytes]
            a.users -= 1
            b.users -= 1

        stream.work.append(work)

    def _check_thread(self) -> None:
        assert threading.get_ident() in self.active, "the device is not the current one of this thread"


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
        assert placed == {i.name for i in (*info.inputs, *info.outputs)}, "an address is missing"
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

    def _run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with self.engine.lock, torch.inference_mode():
            result = self.engine.reference(**inputs)
        return by_name(result, self.engine.plan.info.outputs)

    def _dtype(self, name: str) -> np.dtype:
        (info,) = (info for info in self.engine.plan.info.inputs if info.name == name)
        return dtypes.get(info.dtype).numpy


class FakeRuntimeCache:
    """loaded: what it was given. kernels: what it holds, a line each.

    refuses: whether it takes nothing.
    """

    refuses = False

    def __init__(self) -> None:
        self.loaded, self.kernels = b"", b"kernels 1"

    def deserialize(self, blob: bytes) -> bool:
        if self.refuses:
            return False
        self.loaded = blob
        self.kernels = b"\n".join(dict.fromkeys([*self.kernels.splitlines(), *blob.splitlines()]))
        return True

    def serialize(self) -> bytes:
        return self.kernels


class FakeRuntimeConfig:
    dynamic_shapes_kernel_specialization_strategy: Any = None
    cuda_graph_strategy: Any = None
    cache: FakeRuntimeCache | None = None
    allocation: Any = trt.ExecutionContextAllocationStrategy.STATIC

    def set_execution_context_allocation_strategy(self, strategy: Any) -> None:
        self.allocation = strategy

    def create_runtime_cache(self) -> FakeRuntimeCache:
        return FakeRuntimeCache()

    def set_runtime_cache(self, cache: FakeRuntimeCache) -> bool:
        self.cache = cache
        return True


class FakeEngine:
    """Makes contexts that run the network's reference.

    refuses: what shall fail from now on ("profile", "shape", "inference", "allocator", "address", "execution",
    "context"). later_profile: the profile of all contexts but the first. host: the names of tensors in host memory.
    layers: what a profiler is told of each execution. dependent: outputs whose shape TensorRT does not know before it
    has seen the data. looked_up: how often kernels were, by one thread at a time.
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


class Tensor:
    """A torch CUDA tensor as far as the runtime looks at it, in the memory of a FakeDevice."""

    is_cuda = True

    def __init__(self, fake: FakeTorch, shape: tuple[int, ...], dtype: torch.dtype, offset: int = 0) -> None:
        self.fake, self.shape, self.dtype, self.offset = fake, tuple(shape), dtype, offset
        self.device = torch.device("cuda", 0)
        self.nbytes = int(np.prod(shape)) * dtype.itemsize
        self.buffer = fake.device.buffer(max(1, self.nbytes + offset))
        self.strided = False

    @property
    def raw(self) -> np.ndarray:
        return self.buffer.raw[self.offset :][: self.nbytes]

    @property
    def values(self) -> np.ndarray:
        """What is in the memory now, whatever is still queued."""
        return self.raw.view(dtypes.get(self.dtype).numpy).reshape(self.shape)

    def data_ptr(self) -> int:
        return self.buffer.address + self.offset if self.nbytes else 0

    def is_contiguous(self) -> bool:
        return not self.strided

    def contiguous(self) -> Tensor:
        return self.clone() if self.strided else self

    def clone(self) -> Tensor:
        copy = Tensor(self.fake, self.shape, self.dtype)

        def work() -> None:
            copy.raw[:] = self.raw

        self.fake.device.streams[self.fake.current].work.append(work)
        return copy


Tensor.__module__ = "torch"


class FakeTorch:
    """What the runtime asks of torch. current: the current stream. kept: (tensor, stream) of each keep."""

    def __init__(self, device: FakeDevice) -> None:
        self.device = device
        self.current = 0
        self.kept: list[tuple[Tensor, int]] = []

    def current_stream(self, device: Any) -> int:
        return self.current

    def empty(self, shape: tuple[int, ...], dtype: str, device: Any) -> Tensor:
        return Tensor(self, shape, getattr(torch, dtype))

    def tensor_of(self, array: Any) -> Tensor:
        return array.tensor

    def like(self, array: Any, tensor: Tensor) -> Any:
        return Torch.like(self, array, tensor)

    def keep(self, tensor: Tensor, device: Any) -> None:
        self.kept.append((tensor, self.current))

    def tensor(self, values: np.ndarray, offset: int = 0) -> Tensor:
        """A tensor whose values are there once the current stream has got so far."""
        self.device.activate()
        made = Tensor(self, values.shape, getattr(torch, dtypes.get(values.dtype).name), offset)
        made_values = values.copy()

        def work() -> None:
            made.values[...] = made_values

        self.device.streams[self.current].work.append(work)
        return made


class Opener:
    """Opens plans on fake devices, and counts how often. dependent: outputs whose shape depends on data.

    devices: by number; device: number 0.
    """

    def __init__(self, reference: Reference, dependent: Iterable[str] = ()) -> None:
        self.reference = reference
        self.dependent = frozenset(dependent)
        self.devices = {0: FakeDevice()}
        self.device = self.devices[0]
        self.torch = FakeTorch(self.device)
        self.recorder = ErrorRecorder()
        self.engines: list[FakeEngine] = []

    @property
    def engine(self) -> FakeEngine:
        return self.engines[-1]

    def __call__(self, plan: Plan, index: int = 0) -> OpenEngine:
        device = self.devices.setdefault(index, FakeDevice(index))
        device.activate()
        self.engines.append(FakeEngine(plan, self.reference, device, self.dependent))
        return OpenEngine(self.engines[-1], device, self.recorder, plan.info, torch=lambda: self.torch)
