"""The memory of a session's numpy calls: page-locked on the host, and its counterpart on the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from trtnet.runtime.cuda.interface import Device, HostBuffer, Memory, Stream
from trtnet.support import dtypes
from trtnet.support.arrays import StaticShape
from trtnet.support.call_interface import TensorInfo

LARGE = 1 << 20
"""Bytes from which on a copy to page-locked memory takes longer than what it spares."""


class Staging:
    """Buffers by input or output name; they grow as needed and are kept.

    aliases: outputs that TensorRT writes into an input's memory: output -> input.
    """

    def __init__(self, device: Device, stream: Stream, aliases: Mapping[str, str] | None = None) -> None:
        self._device, self._stream, self.aliases = device, stream, aliases or {}
        self._host: dict[str, HostBuffer] = {}
        self._memory: dict[str, Memory] = {}
        self._empty: Memory | None = None

    def addresses(self) -> dict[str, int]:
        """Where inputs and outputs are on the GPU."""
        own = {name: buffer.address for name, buffer in self._memory.items()}
        return own | {output: own[name] for output, name in self.aliases.items()}

    def upload(self, info: TensorInfo, value: np.ndarray[Any, Any]) -> None:
        """Takes an input's values at once, and queues their way to the GPU.

        They go through the page-locked memory; large ones through the driver's own, which it fills and empties at once.
        """
        if value.nbytes >= LARGE and value.flags.c_contiguous:
            self.provide(info.name, value.nbytes)
            self._device.upload_pageable(value, self._memory[info.name], self._stream)
            return
        self.grow(info, value.shape)
        self.array(info, value.shape)[...] = value
        self.send(info, value.shape, self._stream)

    def send(self, info: TensorInfo, shape: StaticShape, stream: Stream) -> None:
        """Queues an input's way from the page-locked memory to the GPU."""
        self._device.upload(self._host[info.name], self._memory[info.name], _nbytes(info, shape), stream)

    def download(self, info: TensorInfo, shape: StaticShape) -> None:
        """Queues an output's way to the page-locked memory."""
        self.fetch(info, shape, self._stream)

    def fetch(self, info: TensorInfo, shape: StaticShape, stream: Stream) -> None:
        """Queues an output's way to the page-locked memory on another stream than the buffers' own."""
        source = self._memory[self.aliases.get(info.name, info.name)]
        nbytes = _nbytes(info, shape)
        self._grow_host(info.name, nbytes)
        self._device.download(source, self._host[info.name], nbytes, stream)

    def copy(self, info: TensorInfo, shape: StaticShape, address: int, stream: Stream) -> None:
        """Queues an output's way to other memory on the GPU."""
        self._device.copy(self._memory[info.name], address, _nbytes(info, shape), stream)

    def array(self, info: TensorInfo, shape: StaticShape) -> np.ndarray[Any, Any]:
        """The page-locked memory of an input or output, as an array."""
        nbytes = _nbytes(info, shape)
        return self._host[info.name].bytes[:nbytes].view(dtypes.get(info.dtype).numpy).reshape(shape)

    def grow(self, info: TensorInfo, shape: StaticShape) -> int:
        """Sees to buffers that are large enough. Returns the bytes needed."""
        nbytes = _nbytes(info, shape)
        self._grow_host(info.name, nbytes)
        if info.name not in self.aliases:
            self.provide(info.name, nbytes)
        return nbytes

    def provide(self, name: str, nbytes: int) -> int:
        """The address of at least so many bytes on the GPU for an input or output, an empty one too."""
        if name not in self._memory or self._memory[name].nbytes < nbytes:
            self._memory[name] = self._device.allocate(max(nbytes, 1), self._stream)
        return self._memory[name].address

    def _grow_host(self, name: str, nbytes: int) -> None:
        if name not in self._host or self._host[name].nbytes < nbytes:
            self._host[name] = self._device.allocate_host(max(nbytes, 1))

    def close(self) -> None:
        """Frees the buffers, in the order of their stream."""
        self._host.clear()
        self._memory.clear()
        self._empty = None

    def placeholder(self) -> int:
        """An address for an empty tensor, which torch gives none."""
        if self._empty is None:
            self._empty = self._device.allocate(1, self._stream)
        return self._empty.address


def _nbytes(info: TensorInfo, shape: StaticShape) -> int:
    return dtypes.get(info.dtype).nbytes(prod(shape))
