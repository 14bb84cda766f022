"""One execution context with its stream and buffers: what runs an engine, one call at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from trtnet import dtypes
from trtnet.backend import trt
from trtnet.builder.plan import PlanInfo
from trtnet.calling import TensorInfo, bind, check, is_torch
from trtnet.diagnostics import ErrorRecorder
from trtnet.errors import InputError, ProfileError, TrtnetError
from trtnet.runtime.device import Buffer, Device, HostBuffer
from trtnet.runtime.profiles import choose

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class OpenEngine:
    """A deserialized engine on its device. recorder: where TensorRT reports its errors."""

    engine: trt.ICudaEngine
    device: Device
    recorder: ErrorRecorder
    info: PlanInfo


class Pending:
    """The result of an asynchronous call."""

    def __init__(self, collect: Callable[[], Any], finished: Callable[[], None]) -> None:
        self._collect, self._finished = collect, finished
        self._lock = threading.Lock()
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None

    def result(self) -> Any:
        """Waits for the call and returns its outputs: one array, or a dict by name. May be asked again."""
        self.settle()
        if self._error is not None:
            raise self._error
        return self._value

    def settle(self) -> None:
        """Waits for the call and takes its outputs out of the session's buffers, once."""
        with self._lock:
            if self._done:
                return
            try:
                self._value = self._collect()
            except BaseException as error:
                self._error = error
            self._done = True
            self._finished()


class Session:
    """An execution context of an engine, with a stream and buffers of its own that grow as needed and are kept.

    Calls of one session run one after another, from whatever thread; for calls side by side, use several sessions.
    profile: the optimization profile to stay in; None changes to one that takes the shapes of each call.
    """

    def __init__(self, opened: OpenEngine, profile: int | None = None) -> None:
        self._opened, self._device, self._info = opened, opened.device, opened.info
        self._fixed = profile
        if profile is not None and not 0 <= profile < len(self._info.profiles):
            raise ProfileError(f"there is no profile {profile}: the engine has {len(self._info.profiles)}")
        self._device.activate()
        self._context = opened.engine.create_execution_context()
        if self._context is None:
            self._fail("TensorRT made no execution context")
        self._stream = self._device.create_stream()
        self._profile = 0
        self._host: dict[str, HostBuffer] = {}
        self._memory: dict[str, Buffer] = {}
        self._lock = threading.RLock()
        self._pending: Pending | None = None
        self._last: tuple[int, Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the engine and waits: see :meth:`submit`."""
        return self.submit(*args, **kwargs).result()

    def submit(self, *args: Any, **kwargs: Any) -> Pending:
        """Queues a call and returns at once.

        Inputs by position or by name: numpy arrays (copied to the GPU and back, the results are the caller's own), or
        torch CUDA tensors (read and written in place, on torch's current stream). A second call waits until the first
        one's results are out of the session's buffers.
        Raises InputError and ProfileError for inputs that do not fit.
        """
        arrays = bind(self._info.inputs, args, kwargs)
        on_torch = {is_torch(array) for array in arrays.values()}
        if len(on_torch) > 1:
            raise InputError("the inputs are numpy arrays and torch tensors; give all of one kind")
        check(self._info.inputs, arrays)
        with self._lock:
            if self._pending is not None:
                self._pending.settle()
            self._device.activate()
            collect = self._start_torch(arrays) if on_torch == {True} else self._start_numpy(arrays)
            self._pending = Pending(collect, lambda: None)
            return self._pending

    # numpy
    def _start_numpy(self, arrays: Mapping[str, Any]) -> Callable[[], Any]:
        values = {name: np.asarray(array) for name, array in arrays.items()}
        shapes = self._set_shapes({name: array.shape for name, array in values.items()}, self._stream)
        for name, array in values.items():
            self._grow(name, array.nbytes)
            self._host[name].bytes[: array.nbytes].view(array.dtype).reshape(array.shape)[...] = array
            self._device.upload(self._host[name], self._memory[name], array.nbytes, self._stream)
        sizes = {info.name: _nbytes(info, shapes[info.name]) for info in self._info.outputs}
        for name, nbytes in sizes.items():
            self._grow(name, nbytes)
        self._execute({name: buffer.address for name, buffer in self._memory.items()}, self._stream)
        for name, nbytes in sizes.items():
            self._device.download(self._memory[name], self._host[name], nbytes, self._stream)
        return lambda: self._collect(shapes, sizes)

    def _collect(self, shapes: Mapping[str, Shape], sizes: Mapping[str, int]) -> Any:
        self._device.activate()
        self._device.synchronize(self._stream)
        outputs = {}
        for info in self._info.outputs:
            flat = self._host[info.name].bytes[: sizes[info.name]].view(dtypes.get(info.dtype).numpy)
            outputs[info.name] = flat.reshape(shapes[info.name]).copy()
        return _single(outputs)

    def _grow(self, name: str, nbytes: int) -> None:
        if name not in self._memory or self._memory[name].nbytes < nbytes:
            self._memory[name] = self._device.allocate(nbytes, self._stream)
            self._host[name] = self._device.allocate_host(nbytes)

    # torch
    def _start_torch(self, tensors: Mapping[str, Any]) -> Callable[[], Any]:
        import torch

        for name, tensor in tensors.items():
            if not tensor.is_cuda:
                raise InputError(
                    f"input {name} is a torch tensor on {tensor.device}; give tensor.cuda() or tensor.numpy()"
                )
        device = next(iter(tensors.values())).device
        inputs = {name: tensor.contiguous() for name, tensor in tensors.items()}
        stream = torch.cuda.current_stream(device).cuda_stream
        shapes = self._set_shapes({name: tuple(tensor.shape) for name, tensor in inputs.items()}, stream)
        outputs = {
            info.name: torch.empty(shapes[info.name], dtype=getattr(torch, info.dtype), device=device)
            for info in self._info.outputs
        }
        self._execute({name: tensor.data_ptr() for name, tensor in (inputs | outputs).items()}, stream)
        # the closure keeps the inputs until the result is taken; after that, torch's allocator orders by stream
        return lambda: _single(outputs) if inputs else None

    # TensorRT
    def _set_shapes(self, shapes: Mapping[str, Shape], stream: int) -> dict[str, Shape]:
        """Tells the context the inputs' shapes. Returns the outputs'."""
        self._order(stream)
        wanted = choose(self._info.profiles, shapes, self._profile if self._fixed is None else self._fixed)
        if self._fixed is not None and wanted != self._fixed:
            raise ProfileError(f"the session stays in profile {self._fixed}, the shapes fit profile {wanted}")
        if wanted != self._profile:
            if not self._context.set_optimization_profile_async(wanted, stream):
                self._fail(f"TensorRT did not change to profile {wanted}")
            self._profile = wanted
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                self._fail(f"TensorRT refused the shape {list(shape)} of input {name}")
        if missing := self._context.infer_shapes():
            self._fail(f"TensorRT cannot infer shapes: {missing}")
        return {info.name: self._output_shape(info) for info in self._info.outputs}

    def _output_shape(self, info: TensorInfo) -> Shape:
        shape = tuple(self._context.get_tensor_shape(info.name))
        if min(shape, default=0) < 0:
            self._fail(f"the shape of output {info} depends on data, which this runtime does not allocate for")
        return shape

    def _execute(self, addresses: Mapping[str, int], stream: int) -> None:
        for name, address in addresses.items():
            if not self._context.set_tensor_address(name, address):
                self._fail(f"TensorRT refused the address of {name}")
        if not self._context.execute_async_v3(stream):
            self._fail("TensorRT did not run the engine")
        self._last = stream, self._device.record(stream)

    def _order(self, stream: int) -> None:
        """A context's memory is used by one call at a time: a call on another stream waits for the one before."""
        if self._last is not None and self._last[0] != stream:
            self._device.wait(stream, self._last[1])

    def _fail(self, headline: str) -> None:
        words = "".join(f"\n  TensorRT: {text}" for text in self._opened.recorder.take())
        raise TrtnetError(headline + words)


def _single(outputs: dict[str, Any]) -> Any:
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def _nbytes(info: TensorInfo, shape: Shape) -> int:
    return dtypes.get(info.dtype).nbytes(prod(shape))
