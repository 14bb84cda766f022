"""Parameters of a model, and the arrays that fill them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from trtnet.graph.tensors.in_place import InPlace
from trtnet.graph.tensors.methods import Casts, Methods
from trtnet.graph.tensors.operators import Operators
from trtnet.graph.tensors.properties import Questions
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.did_you_mean import missing
from trtnet.support.dtypes import DType, DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
OF_TENSORS = {name for kind in (Casts, Methods, Questions) for name in vars(kind) if not name.startswith("_")}


class Parameter(InPlace, Operators):
    """A weight that the checkpoint fills: the path of attributes to it is its checkpoint key.

    shape: ints, or one tuple of them: Parameter(3, 4) is [3, 4]. dtype: None for the dtype that the network is defined
    with, or a name for a parameter that keeps its own, such as an int64 table. In ``forward`` it has a tensor's
    operators and methods: ``x + self.pos_embedding[:, : x.shape[1]]``.
    Weights: itself.
    Layer: a constant (IConstantLayer) where it is used as a tensor.
    Raises ModelError for a shape that is not sizes.
    """

    # trtnet.graph.network puts here what knows the network being defined: it stands above parameters.
    network_dtype: ClassVar[Callable[[], DType | None]] = staticmethod(lambda: None)

    def __init__(self, *shape: int | tuple[int, ...], dtype: str | None = None) -> None:
        given: tuple[Any, ...] = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if not all(isinstance(size, int | np.integer) and size >= 0 for size in given):
            kind = type(self).__name__
            raise ModelError(here(f"{kind} takes sizes: {kind}(16), {kind}(3, 4)"))
        self.shape = tuple(map(int, given))
        self.declared: DType | None = None if dtype is None else dtypes.get(dtype)

    @property
    def dtype(self) -> DType | None:
        """Its own dtype, else that of the module being defined; None outside of a definition."""
        return self.declared or type(self).network_dtype()

    @dtype.setter
    def dtype(self, dtype: DTypeLike | None) -> None:
        self.declared = None if dtype is None else dtypes.get(dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.shape))})"

    def __getattr__(self, name: str) -> Any:
        if name not in OF_TENSORS and not (name.endswith("_") and not name.startswith("_")):
            raise missing(f"a {type(self).__name__}", name, OF_TENSORS)
        return getattr(self._tensor(), name)


class Buffer(Parameter):
    """torch.nn.Buffer: a Parameter that training measures and does not learn, such as a running mean.

    shape, dtype: as those of Parameter, ints and a name: Buffer(3, 4) is [3, 4]. The checkpoint fills it in the same
    way.
    Weights: itself.
    Layer: a constant (IConstantLayer) where it is used as a tensor.
    Raises ModelError for a shape that is not sizes.
    """


class NetworkFloats(np.ndarray[Any, np.dtype[Any]]):
    """Floats of a buffer that the checkpoint does not fill: they are of the network's dtype, to which half() casts."""


class Weight:
    """An array on the host that TensorRT reads when it builds, kept alive by the network that uses it.

    array: contiguous; given as a function, with its shape and dtype, it is read when it is first needed. memory: what
    TensorRT reads, two elements a byte of a 4-bit type. handle: TensorRT's own.
    key: its checkpoint key, "" for what is no tensor of the checkpoint: a constant of the model, or
    something computed from several tensors, as a folded batch norm is.
    """

    def __init__(self, array: Array | Callable[[], Array], key: str = "", like: tuple[Shape, DType] | None = None):
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
