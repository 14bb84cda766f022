"""The order of one session's work over several streams: nothing of it runs before what came earlier is done."""

from __future__ import annotations

from contextlib import suppress

from trtnet.runtime.cuda.interface import Device, Stream


class Order:
    """own: the session's stream. Streams that other libraries made are used in their order too, and must live on."""

    def __init__(self, device: Device, own: Stream) -> None:
        self._device, self.own = device, own
        self._last = own
        self._foreign = {own.handle: own}

    def stream(self, handle: int) -> Stream:
        """The stream of a handle, made once."""
        if handle not in self._foreign:
            self._foreign[handle] = self._device.foreign_stream(handle)
        return self._foreign[handle]

    def move(self, stream: Stream) -> None:
        """What is queued on `stream` from now on comes after all of the session's work so far."""
        if stream is not self._last:
            self._device.order(self._last, stream)
            self._last = stream

    def drain(self) -> None:
        """Waits until all of the session's work is done."""
        with suppress(Exception):  # at the end of the process the driver may be gone before us
            self._device.activate()
            self._device.synchronize(self._last)
