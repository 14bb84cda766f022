"""A GPU through cuda.core, and through the driver's own functions where those are faster."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.runtime.cuda.cuda_graph import capture
from trtnet.runtime.cuda.interface import Bytes, Event, Graph, HostBuffer, Memory, Stream
from trtnet.support.errors import DeviceError


@dataclass(frozen=True)
class _CudaStream:
    """stream: cuda.core's. handle: its ``cudaStream_t``; 0 is the default stream. raw: as the driver takes it."""

    stream: Any
    handle: int
    raw: Any


@dataclass(frozen=True)
class _CudaEvent:
    event: Any


@dataclass(frozen=True)
class _CudaBuffer:
    buffer: Any
    address: int
    nbytes: int


@dataclass(frozen=True)
class _PinnedBuffer(_CudaBuffer):
    bytes: Bytes


class CudaDevice:
    """A GPU through cuda.core. Raises DeviceError where there is none, or no working driver."""

    def __init__(self, index: int = 0) -> None:
        try:
            import cuda.core as core
            from cuda.bindings import driver

            self._core, self._driver = core, driver
            self._device = core.Device(index)
            self._device.set_current()
            self._pinned = core.LegacyPinnedMemoryResource()
            self._timed = core.EventOptions(timing_enabled=True)
            self._context = self._current_context()
        except Exception as error:  # cuda.core raises its own errors, ImportError, RuntimeError or ValueError, by cause
            raise no_gpu(error) from error
        self.index = index
        self.name = str(self._device.name)
        self._thread = threading.local()
        self._marks: dict[int, Any] = {}

    def activate(self) -> None:
        # to ask costs a fraction of a microsecond, to set several
        if getattr(self._thread, "active", False) and self._current_context() == self._context:
            return
        # cuda.core's Device objects belong to the thread that made them
        self._core.Device(self.index).set_current()
        self._thread.active = True

    def _current_context(self) -> int:
        return int(self._driver.cuCtxGetCurrent()[1])

    def create_stream(self) -> Stream:
        stream = self._device.create_stream()
        return _CudaStream(stream, int(stream.handle), stream.handle)

    def foreign_stream(self, handle: int) -> Stream:
        stream = self._core.Stream.from_handle(handle) if handle else self._core.LEGACY_DEFAULT_STREAM
        return _CudaStream(stream, handle, stream.handle)

    def synchronize(self, stream: Any) -> None:
        stream.stream.sync()

    def order(self, before: Any, after: Any) -> None:
        # with an event that is kept: to make one takes longer than the rest
        event = self._marks.get(before.handle)
        if event is None:
            event = self._mark(before.handle)
        self._check(self._driver.cuEventRecord(event, before.raw), self._driver.cuStreamWaitEvent(after.raw, event, 0))

    def _mark(self, handle: int) -> Any:
        """The event that orders what waits for a stream: recording it again leaves earlier waits as they are."""
        flags = self._driver.CUevent_flags.CU_EVENT_DISABLE_TIMING
        status, event = self._driver.cuEventCreate(flags)
        self._check((status,))
        return self._marks.setdefault(handle, event)

    def _check(self, *results: tuple[Any, ...]) -> None:
        for status, *_ in results:
            if int(status):
                raise DeviceError(f"CUDA did not queue the work: {status.name}")

    def record(self, stream: Any) -> Event:
        return _CudaEvent(stream.stream.record(options=self._timed))

    def follow(self, event: Any, stream: Any) -> None:
        stream.stream.wait(event.event)

    def wait(self, event: Any) -> None:
        event.event.sync()

    def elapsed(self, start: Any, end: Any) -> float:
        end.event.sync()
        return float(end.event - start.event)

    def free_memory(self) -> int:
        status, free, _ = self._driver.cuMemGetInfo()
        if int(status) != 0:
            raise DeviceError(f"the driver does not report how much device memory is free: {status.name}")
        return int(free)

    def trim(self) -> None:
        pool = getattr(self._device.memory_resource, "handle", None)  # there is none where a GPU has no memory pools
        if pool is not None:
            self._driver.cuMemPoolTrimTo(pool, 0)

    def capture(self, queue: Callable[[], None], stream: Any) -> Graph:
        return capture(self._driver, queue, stream)

    def allocate(self, nbytes: int, stream: Any) -> Memory:
        buffer = self._device.allocate(nbytes, stream=stream.stream)
        return _CudaBuffer(buffer, int(buffer.handle), nbytes)

    def allocate_host(self, nbytes: int) -> HostBuffer:
        buffer = self._pinned.allocate(nbytes)
        address = int(buffer.handle)
        # not np.from_dlpack: before numpy 2.1 its arrays are read-only
        memory = (ctypes.c_uint8 * nbytes).from_address(address)
        return _PinnedBuffer(buffer, address, nbytes, np.ctypeslib.as_array(memory))

    def upload(self, source: Any, target: Any, nbytes: int, stream: Any) -> None:
        self._copy(source, target, nbytes, stream)

    def upload_pageable(self, source: np.ndarray[Any, Any], target: Any, stream: Any) -> None:
        self._check(self._driver.cuMemcpyHtoDAsync(target.address, source.ctypes.data, source.nbytes, stream.raw))

    def download(self, source: Any, target: Any, nbytes: int, stream: Any) -> None:
        self._copy(source, target, nbytes, stream)

    def zero(self, target: Any, start: int, nbytes: int, stream: Any) -> None:
        if nbytes:
            self._check(self._driver.cuMemsetD8Async(target.address + start, 0, nbytes, stream.raw))

    def copy(self, source: Any, address: int, nbytes: int, stream: Any) -> None:
        if nbytes:
            target = self._core.Buffer.from_handle(address, nbytes)
            target.copy_from(self._first(source, nbytes), stream=stream.stream)

    def _copy(self, source: Any, target: Any, nbytes: int, stream: Any) -> None:
        if nbytes:
            self._first(target, nbytes).copy_from(self._first(source, nbytes), stream=stream.stream)

    def _first(self, buffer: Any, nbytes: int) -> Any:
        """The first bytes as a cuda.core Buffer, whose copies want equal sizes."""
        if nbytes == buffer.nbytes:
            return buffer.buffer
        return self._core.Buffer.from_handle(buffer.address, nbytes, owner=buffer.buffer)


def no_gpu(error: Exception) -> DeviceError:
    """What an error of cuda.core's says of this machine, and what to do without a GPU."""
    return DeviceError(
        f"no usable GPU: {_found(error)}\n"
        f"  {type(error).__name__}: {error}\n"
        f"  network.reference() runs the same network on the CPU; `trtnet doctor` tells what is missing here"
    )


def _found(error: Exception) -> str:
    text = f"{type(error).__name__} {error}"
    if isinstance(error, ImportError):
        return "the Python packages cuda-core and cuda-bindings are not installed, or cannot be imported"
    if "DynamicLibNotFound" in text or "libcuda" in text:
        return "the NVIDIA driver's library libcuda is missing"
    if "CUDA_ERROR_NO_DEVICE" in text or "within [0, " in text:
        return "the NVIDIA driver finds no such GPU"
    if "MISMATCH" in text or "insufficient" in text or "not found" in text:
        return "the NVIDIA driver is too old, or does not fit its kernel module"
    return "the NVIDIA driver does not work"
