"""An execution context as one of several ranks: its communicator, and whether its collectives do anything."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.builder.collectives import CHECK
from trtnet.runtime.loaded.loaded_engine import OpenEngine
from trtnet.support.errors import DeviceError

_NBYTES = 4


class Collectives:
    """The collectives of a context, which is made on all ranks at once, as TensorRT asks.

    Each rank of an engine adds its number, 1, 2, ..., to a sum over all ranks. If that sum is wrong after the first
    execution, so is everything else: TensorRT runs an engine without a communicator, or one that was not built for
    several GPUs, and leaves its collectives out without a word.

    context: TensorRT's. said: TensorRT's latest words.
    Raises DeviceError if TensorRT takes no communicator.
    """

    def __init__(self, context: Any, opened: OpenEngine, said: Any) -> None:
        info = opened.info
        self._device, self._rank, self._ranks = opened.device, info.rank, info.ranks
        if not context.set_communicator(opened.communicator):
            raise DeviceError(f"TensorRT took no communicator for rank {info.rank} of {info.ranks}{said()}")
        self._stream = opened.device.create_stream()
        self._memory = opened.device.allocate(_NBYTES, self._stream)
        self._device.synchronize(self._stream)
        context.set_tensor_address(CHECK, self._memory.address)
        self._checked = False

    def check(self, stream: int) -> None:
        """Waits for the first execution, and raises DeviceError if it did not sum over the ranks."""
        if self._checked:
            return
        self._device.synchronize(self._device.foreign_stream(stream))
        host = self._device.allocate_host(_NBYTES)
        self._device.download(self._memory, host, _NBYTES, self._stream)
        self._device.synchronize(self._stream)
        found, expected = float(host.bytes.view(np.float32)[0]), self._ranks * (self._ranks + 1) / 2
        if found != expected:
            raise DeviceError(
                f"the collectives of rank {self._rank} of {self._ranks} do not work: the sum of the ranks' numbers is"
                f" {found:g}, expected {expected:g}. {_cause(found, self._rank)}"
            )
        self._checked = True


def _cause(found: float, rank: int) -> str:
    if found == rank + 1:
        return "It is this rank's own: the engine was not built for several ranks, or TensorRT left them out"
    return "Each rank needs the engine of its own number, and all of them one communicator"
