"""The symbolic tensor a model's ``forward`` computes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from trtnet.graph.sizes.dim import Axis, Dim, Shape, Size, numel
from trtnet.graph.sizes.real import Real
from trtnet.graph.sizes.shape_inputs import elements
from trtnet.graph.tensors.in_place import InPlace
from trtnet.graph.tensors.methods import Casts, Methods
from trtnet.graph.tensors.operators import Operators
from trtnet.graph.tensors.pending import Pending
from trtnet.graph.tensors.properties import Questions
from trtnet.graph.tensors.storage import Storage, View, refresh
from trtnet.graph.tensors.strides import Strides
from trtnet.graph.tensors.weight import Parameter
from trtnet.support import dtypes
from trtnet.support.did_you_mean import missing
from trtnet.support.dtypes import DType
from trtnet.support.errors import ModelError
from trtnet.support.source import here

if TYPE_CHECKING:
    from trtnet.graph.network import Network
    from trtnet.support.backend import trt

Value: TypeAlias = "trt.ITensor | Pending"
Operand: TypeAlias = "Tensor | Parameter | np.ndarray[Any, Any] | Dim | Real | float | int | bool"


class Tensor(Casts, Methods, Questions, InPlace, Operators):
    """A value of the network: TensorRT's ITensor with the network it belongs to.

    It has torch's operators and methods (``graph/operators.py``, ``graph/methods.py``); each calls the function of the
    same name in ``trtnet.ops``, which says what it does. An operation adds layers to the network at once. TensorRT's
    tensors never change; where the model writes in place, as by ``x += y``, the tensor gets another one, and so do its
    views and what it is a view of, when they are used next (``graph/storage.py``).

    view_of: what it is of the tensor whose memory it shares, None if the memory is its own. strides: as torch's, as far
    as they are known.
    """

    __slots__ = ("__weakref__", "dtype", "network", "seen", "shape", "storage", "strides", "value", "view_of")
    __hash__ = object.__hash__

    def __init__(self, network: Network, itensor: trt.ITensor, sizes: tuple[int, ...], dims: tuple[Any, ...] = ()):
        self.network = network
        self.value: Value = itensor
        self.dtype: DType = dtypes.get(itensor.dtype)
        self.storage = Storage(network.body)
        self.view_of: View | None = None
        self.strides: Strides = None
        self.seen = 0
        self.shape: Shape = ()
        said = dims or (None,) * len(sizes)  # of which only Dims count: what TensorRT does not know is no int
        known = [n if n >= 0 else (dim if isinstance(dim, Dim) else None) for n, dim in zip(sizes, said, strict=True)]
        unknown = any(not isinstance(size, int | Dim) for size in known)
        still = self.fresh() if unknown else self  # what a Dim is read from keeps its value
        self.shape = still.shape = tuple(still._size(axis, size) for axis, size in enumerate(known))

    def _size(self, axis: int, known: Size | None) -> Size:
        return known if isinstance(known, int | Dim) else Dim(f"{self.name}.shape[{axis}]", Axis(self, axis))

    @property
    def trt(self) -> trt.ITensor:
        """TensorRT's tensor of its value after all writes to its memory, to be read by a layer or an output.

        Raises LayerError if that is not known.
        """
        value = self.current
        return value.use() if isinstance(value, Pending) else value

    @property
    def current(self) -> Value:
        """The same, without reading it: the layer that makes it may be pending. Raises LayerError as `trt`."""
        if self.seen != self.storage.version or self.storage.lost is not None:
            refresh(self)
        return self.value

    @property
    def merged_into(self) -> str | None:
        """The path of the module that took the layer which would make it; None if it is in the network."""
        value = self.current
        return value.path if isinstance(value, Pending) and value.taken is not None else None

    def deferred(self, pending: Pending) -> Tensor:
        """Itself, its value to be decided by who reads it first."""
        self.value = pending
        self.network.pending.append(pending)
        return self

    def fresh(self) -> Tensor:
        """A tensor of its value now, with memory of its own. No layer."""
        other = self.fresh_handle(self.shape)
        other.value, other.strides = self.current, self.strides
        return other

    def fresh_handle(self, shape: Shape) -> Tensor:
        """A tensor of its network and dtype, with memory of its own and its value for now."""
        other = object.__new__(Tensor)
        other.network, other.dtype, other.shape, other.value = self.network, self.dtype, shape, self.value
        other.storage, other.view_of, other.strides, other.seen = Storage(self.network.body), None, None, 0
        return other

    @property
    def name(self) -> str:
        """Its name in the network, unique."""
        return str(self.current.name)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def size(self, dim: int | None = None) -> Size | Shape:
        """torch's spelling of ``shape`` and ``shape[dim]``."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> Size:
        """The number of elements."""
        return numel(self.shape)

    def tolist(self) -> list[Dim]:
        """The elements of a vector of integers as sizes: ``ops.interpolate(x, size.tolist())``."""
        return list(elements(self))

    def item(self) -> Dim:
        """The one element of a tensor of integers as a size. Raises ModelError if there are several."""
        found = elements(self)
        if len(found) != 1:
            raise ModelError(here(f"item() takes the one element of a tensor; found {self!r}"))
        return found[0]

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, [{', '.join(map(str, self.shape))}], {self.dtype})"

    def __bool__(self) -> NoReturn:
        raise ModelError(
            here(
                f"{self!r} has no value while the network is being defined, so Python cannot branch on it. Decide by"
                f" shapes, dtypes or arguments of the model, or compute both sides and choose with ops.where."
            )
        )

    def __len__(self) -> int:
        if self.ndim == 0 or not isinstance(self.shape[0], int):
            text = f"{self!r} has no length: its first dimension is not known; shape[0] is it as a size"
            raise ModelError(here(text))
        return self.shape[0]

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise ModelError(here(f"{self!r} has no values for numpy while the network is being defined; use trtnet.ops"))

    def __iter__(self) -> Any:
        if self.ndim == 0 or not isinstance(self.shape[0], int):
            raise ModelError(
                here(f"cannot iterate over {self!r}: its first dimension is not known; ops.scan goes over it")
            )
        return (self[i] for i in range(self.shape[0]))

    def __eq__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self.operations.eq(self, other)

    def __ne__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self.operations.ne(self, other)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.endswith("_"):
            return self.operations.in_place_method(self, name)
        hint = f"use ops.{name}(x)" if hasattr(self.operations, name) else ""
        raise missing("a Tensor", name, dir(type(self)), hint)
