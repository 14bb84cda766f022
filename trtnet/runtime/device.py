"""The GPU as the runtime uses it: streams, buffers, copies. The one real implementation stands on cuda.core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from trtnet.errors import DeviceError


class Buffer(Protocol):
    """Memory of a fixed size. address: where it begins. nbytes: its size."""

    @property
    def address(self) -> int: ...

    @property
    def nbytes(self) -> int: ...


class HostBuffer(Buffer, Protocol):
    """Page-locked host memory. bytes: the same memory as a uint8 array."""

    @property
    def bytes(self) -> np.ndarray[Any, np.dtype[np.uint8]]: ...


class Device(Protocol):
    """What the runtime asks of a GPU. A stream is its handle, an int, as TensorRT takes it."""

    def activate(self) -> None:
        """Makes the device the calling thread's."""

    def create_stream(self) -> int: ...

    def synchronize(self, stream: int) -> None:
        """Waits until everything queued on the stream is done."""

    def record(self, stream: int) -> Any:
        """Marks what is queued on the stream so far."""

    def wait(self, stream: int, mark: Any) -> None:
        """Lets the stream wait for a mark of another."""

    def allocate(self, nbytes: int, stream: int) -> Buffer:
        """Device memory, usable in the order of the stream."""

    def allocate_host(self, nbytes: int) -> HostBuffer: ...

    def upload(self, source: HostBuffer, target: Buffer, nbytes: int, stream: int) -> None: ...

    def download(self, source: Buffer, target: HostBuffer, nbytes: int, stream: int) -> None: ...


@dataclass(frozen=True)
class _CudaBuffer:
    buffer: Any
    nbytes: int

    @property
    def address(self) -> int:
        return int(self.buffer.handle)

    def first(self, nbytes: int) -> Any:
        """The first bytes as a cuda.core Buffer: its copies want equal sizes."""
        from cuda.core import Buffer as CoreBuffer

        return CoreBuffer.from_handle(self.address, nbytes, owner=self.buffer)


@dataclass(frozen=True)
class _PinnedBuffer(_CudaBuffer):
    bytes: np.ndarray[Any, np.dtype[np.uint8]]


class CudaDevice:
    """A GPU through cuda.core. Raises DeviceError where there is none, or no working driver."""

    def __init__(self, index: int = 0) -> None:
        try:
            from cuda.core import Device as CoreDevice
            from cuda.core import LegacyPinnedMemoryResource

            self._device = CoreDevice(index)
            self._device.set_current()
        except Exception as error:  # cuda.core raises its own errors, ImportError and RuntimeError, by cause
            raise DeviceError(
                f"no usable GPU: {type(error).__name__}: {error}\n"
                f"  network.reference() runs the same network on the CPU; `trtnet doctor` tells what is missing here"
            ) from error
        self._pinned = LegacyPinnedMemoryResource()
        self._streams: dict[int, Any] = {}

    def activate(self) -> None:
        self._device.set_current()

    def create_stream(self) -> int:
        stream = self._device.create_stream()
        handle = int(stream.handle)
        self._streams[handle] = stream
        return handle

    def synchronize(self, stream: int) -> None:
        self._stream(stream).sync()

    def record(self, stream: int) -> Any:
        return self._stream(stream).record()

    def wait(self, stream: int, mark: Any) -> None:
        self._stream(stream).wait(mark)

    def allocate(self, nbytes: int, stream: int) -> Buffer:
        return _CudaBuffer(self._device.allocate(nbytes, stream=self._stream(stream)), nbytes)

    def allocate_host(self, nbytes: int) -> HostBuffer:
        buffer = self._pinned.allocate(nbytes)
        return _PinnedBuffer(buffer, nbytes, np.from_dlpack(buffer).view(np.uint8))

    def upload(self, source: HostBuffer, target: Buffer, nbytes: int, stream: int) -> None:
        self._copy(source, target, nbytes, stream)

    def download(self, source: Buffer, target: HostBuffer, nbytes: int, stream: int) -> None:
        self._copy(source, target, nbytes, stream)

    def _copy(self, source: Any, target: Any, nbytes: int, stream: int) -> None:
        target.first(nbytes).copy_from(source.first(nbytes), stream=self._stream(stream))

    def _stream(self, handle: int) -> Any:
        """The cuda.core stream of a handle, one of ours or a foreign one (torch's)."""
        if handle in self._streams:
            return self._streams[handle]
        from cuda.core import LEGACY_DEFAULT_STREAM, Stream

        return Stream.from_handle(handle) if handle else LEGACY_DEFAULT_STREAM
