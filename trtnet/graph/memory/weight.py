"""Weights: as a model declares them, and the arrays that TensorRT reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from trtnet.support import dtypes
from trtnet.support.arrays import StaticShape
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType, DTypeLike

Array = np.ndarray[Any, Any]


class DeclaredWeight:
    """A weight that the checkpoint fills, as a model declares it: what the network asks of its parameters.

    shape: ints. declared: the dtype that it keeps, None for the dtype that the network is defined with.
    """

    shape: StaticShape
    declared: DType | None

    # trtnet.graph.network puts here what knows the network being defined: it stands above parameters.
    network_dtype: ClassVar[Callable[[], DType | None]] = staticmethod(lambda: None)

    @property
    def dtype(self) -> DType | None:
        """Its own dtype, else that of the module being defined; None outside of a definition."""
        return self.declared or type(self).network_dtype()

    @dtype.setter
    def dtype(self, dtype: DTypeLike | None) -> None:
        self.declared = None if dtype is None else dtypes.get(dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.shape))})"


class NetworkFloats(np.ndarray[Any, np.dtype[Any]]):
    """Floats of a buffer that the checkpoint does not fill: they are of the network's dtype, to which half() casts."""


class Weight:
    """An array on the host that TensorRT reads when it builds, kept alive by the network that uses it.

    array: contiguous; given as a function, with its shape and dtype, it is read when it is first needed. memory: what
    TensorRT reads, two elements a byte of a 4-bit type. handle: TensorRT's own.
    key: its checkpoint key, "" for what is not in the checkpoint: a constant of the model, or
    something computed from several tensors, as a folded batch norm is.
    """

    def __init__(
        self, array: Array | Callable[[], Array], key: str = "", like: tuple[StaticShape, DType] | None = None
    ):
        if isinstance(array, np.ndarray):
            like = array.shape, dtypes.get(array.dtype)
        assert like is not None  # a function says what it will give
        self.shape, self.dtype = like
        self.key = key
        self._given = array

    @cached_property
    def array(self) -> Array:
        given = self._given if isinstance(self._given, np.ndarray) else self._given()
        return np.require(given, requirements=("C", "A"))  # np.ascontiguousarray would turn a 0-D array into a 1-D one

    @cached_property
    def memory(self) -> Array:
        return _packed(self.array) if self.dtype.bits == 4 else self.array

    @cached_property
    def handle(self) -> trt.Weights:
        if self.array.size == 0:  # of which TensorRT wants no address
            return empty(self.dtype)
        return trt.Weights(self.array) if self.readable else opaque(self.dtype, self.memory, self.array.size)

    @property
    def readable(self) -> bool:
        """Whether TensorRT gives the array back when a network is read (it does not for types numpy lacks)."""
        return self.dtype.numpy.kind in "fiub" and self.dtype.numpy.isbuiltin == 1


def empty(dtype: DType) -> trt.Weights:
    """TensorRT's way to say that a layer has no such weights."""
    return trt.Weights(dtype.trt)


def opaque(dtype: DType, memory: Array, size: int) -> trt.Weights:
    """Weights by their address: of a type that numpy lacks, or of memory whose values nobody reads."""
    return trt.Weights(dtype.trt, memory.ctypes.data, size)


def _packed(array: Array) -> Array:
    """4-bit elements two a byte, the first in the low half."""
    bits = array.reshape(-1).view(np.uint8) & 0xF
    pairs = np.concatenate([bits, np.zeros(bits.size % 2, np.uint8)]).reshape(-1, 2)
    return pairs[:, 0] | pairs[:, 1] << 4
