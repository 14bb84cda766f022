"""The symbolic tensor a model's ``forward`` computes with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from trtnet.graph.adding import Adding
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.memory.storage import Storage
from trtnet.graph.sizes.dim import Dim, Shape, Size, numel
from trtnet.graph.sizes.origins import Axis, Value
from trtnet.graph.tensors.in_place import InPlace
from trtnet.graph.tensors.methods import Casts, Methods
from trtnet.graph.tensors.operators import Operators
from trtnet.graph.tensors.properties import Questions
from trtnet.support import dtypes
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.did_you_mean import missing

if TYPE_CHECKING:
    from trtnet.support.backend import trt

NO_NUMBER = "which has no value while the network is being defined: compute with it as a tensor"


class Tensor(Casts["Tensor"], Methods["Tensor"], Questions["Tensor"], InPlace, Operators["Tensor"]):
    """A value of the network: TensorRT's ITensor with the network it belongs to.

    It has torch's operators and methods (``tensors/operators.py``, ``tensors/methods.py``); each calls the function of
    the same name in ``trtnet.ops``, which says what it does. An operation adds layers to the network at once.
    TensorRT's tensors never change; where the model writes in place, as by ``x += y``, the tensor gets another one, and
    so do its views and what it is a view of, when they are used next (``memory/storage.py``).

    view_of: what it is of the tensor whose memory it shares, None if the memory is its own. strides: as torch's, as far
    as they are known.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    network: OpenNetwork

    def __init__(self, network: OpenNetwork, itensor: trt.ITensor, sizes: tuple[int, ...], dims: tuple[Any, ...] = ()):
        self.network = network
        self.value = itensor
        self.dtype = dtypes.get(itensor.dtype)
        self.storage = Storage(network.body)
        self.view_of = None
        self.strides = None
        self.seen = 0
        self.shape = ()
        said = dims or (None,) * len(sizes)  # of which only Dims count: what TensorRT does not know is not an int
        known = [n if n >= 0 else (dim if isinstance(dim, Dim) else None) for n, dim in zip(sizes, said, strict=True)]
        unknown = any(not isinstance(size, int | Dim) for size in known)
        still = self.fresh() if unknown else self  # what a Dim is read from keeps its value
        self.shape = still.shape = tuple(still._size(axis, size) for axis, size in enumerate(known))

    def _size(self, axis: int, known: Size | None) -> Size:
        return known if isinstance(known, int | Dim) else Dim(f"{self.name}.shape[{axis}]", Axis(self, axis))

    def deferred(self, pending: PendingLayer) -> Tensor:
        """Itself, its value to be decided by who reads it first."""
        self.value = pending
        self.network.pending.append(pending)
        return self

    def size(self, dim: int | None = None) -> Size | Shape:
        """torch's spelling of ``shape`` and ``shape[dim]``."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> Size:
        """The number of elements."""
        return numel(self.shape)

    def tolist(self) -> list[Dim]:
        """The elements of a vector of integers as sizes: ``ops.interpolate(x, size.tolist())``."""
        return list(_elements(self))

    def item(self) -> Dim:
        """The one element of a tensor of integers as a size. Raises ModelError if there are several."""
        found = _elements(self)
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

    def __float__(self) -> NoReturn:
        raise ModelError(here(f"float() of {self!r}, {NO_NUMBER}"))

    def __int__(self) -> NoReturn:
        raise ModelError(here(f"int() of {self!r}, {NO_NUMBER}"))

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
                here(f"cannot iterate over {self!r}: its first dimension is not known; ops.scan iterates over it")
            )
        return (self[i] for i in range(self.shape[0]))

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return self.operations.eq(self, other)

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return self.operations.ne(self, other)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.endswith("_"):
            return self.operations.in_place_method(self, name)
        hint = f"use ops.{name}(x)" if hasattr(self.operations, name) else ""
        raise missing("a Tensor", name, dir(type(self)), hint)


def _elements(tensor: Tensor) -> tuple[Dim, ...]:
    """The elements of integers of rank 1 or 0 as sizes. TensorRT computes them on the host, before it runs the engine.

    Raises ModelError for another tensor, or for an input that was declared without names for its values.
    """
    network = tensor.network
    count = 1 if tensor.ndim == 0 else tensor.shape[0]
    if tensor.ndim > 1 or tensor.dtype.name not in ("int32", "int64") or not isinstance(count, int):
        instead = "compute with it as a tensor, without item() or tolist()"
        only = "only integers of rank 1 or 0 and of known size are read, as sizes"
        raise ModelError(here(f"{tensor!r} has no values while the network is being defined: {instead}; {only}"))
    network.loses_shapes = True
    if not tensor.trt.is_network_input:
        still = tensor.fresh()  # a write in place changes no size that was read before
        return tuple(Dim(f"{tensor.name}[{index}]", Value(still, index)) for index in range(count))
    names = network.values.get(tensor.name, ())
    if not names:
        example = ", ".join(f'"size{index}"' for index in range(count))
        raise ModelError(
            here(
                f"input {tensor.name} is a shape input, whose ranges TensorRT needs: name them, by"
                f' Input({tuple(tensor.shape)}, "{tensor.dtype}", values=({example},)), and give their ranges to build'
            )
        )
    return tuple(network.dims[name] for name in names)


class OpenNetwork(Adding[Tensor]):
    """A network to which layers can be added: what operations know of :class:`trtnet.graph.network.Network`.

    aside: results of modules that are computed in another way, or as parts of larger ones, which alone may be read.
    normed: how tensors were normalized, and what is means of such.
    """

    def __init__(self, dtype: DTypeLike | Mapping[str, DTypeLike] = "float32") -> None:
        super().__init__(dtype)
        self.aside: list[Tensor] = []
        self.normed: dict[trt.ITensor, Any] = {}

    def _tensor(self, itensor: trt.ITensor, sizes: tuple[int, ...], dims: Shape) -> Tensor:
        return Tensor(self, itensor, sizes, dims)
