"""A torch whose CUDA tensors are in the memory of a FakeDevice."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from helpers.runtime.fakes.device import FakeDevice

from trtnet.runtime.cuda.torch_tensors import Torch
from trtnet.support import dtypes


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
