"""The symbolic tensor a model's ``forward`` computes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from trtnet import dtypes
from trtnet.dtypes import DType
from trtnet.errors import ModelError
from trtnet.graph.dim import Axis, Dim, Shape, Size, numel
from trtnet.graph.methods import Casts, Methods
from trtnet.graph.operators import Operators
from trtnet.graph.real import Real
from trtnet.graph.source import here
from trtnet.graph.values import elements
from trtnet.graph.weight import Parameter
from trtnet.missing import missing

if TYPE_CHECKING:
    from trtnet.backend import trt
    from trtnet.graph.network import Network

Operand: TypeAlias = "Tensor | Parameter | np.ndarray[Any, Any] | Dim | Real | float | int | bool"


class Tensor(Casts, Methods, Operators):
    """A value of the network: TensorRT's ITensor with the network it belongs to.

    It has torch's operators and methods (``graph/operators.py``, ``graph/methods.py``); each calls the function of the
    same name in ``trtnet.ops``, which says what it does. An operation adds layers to the network at once. A tensor
    never changes: ``x += y`` makes another one of the name x, and whatever else holds the one before keeps it.
    """

    __slots__ = ("__weakref__", "network", "shape", "trt")
    __hash__ = object.__hash__

    def __init__(self, network: Network, itensor: trt.ITensor, sizes: tuple[int, ...], dims: tuple[Any, ...] = ()):
        self.network = network
        self.trt = itensor
        self.shape: Shape = tuple(
            self._size(axis, size, dims[axis] if dims else None) for axis, size in enumerate(sizes)
        )

    def _size(self, axis: int, size: int, known: Size | None) -> Size:
        if size >= 0:
            return size
        return known if isinstance(known, Dim) else Dim(f"{self.name}.shape[{axis}]", Axis(self, axis))

    @property
    def name(self) -> str:
        """Its name in the network, unique."""
        return str(self.trt.name)

    @property
    def dtype(self) -> DType:
        return dtypes.get(self.trt.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def dim(self) -> int:
        """torch's spelling of ``ndim``."""
        return self.ndim

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
            raise ModelError(here(f"cannot iterate over {self!r}: its first dimension is not known"))
        return (self[i] for i in range(self.shape[0]))

    def __eq__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self.operations.eq(self, other)

    def __ne__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self.operations.ne(self, other)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        text = "x[...] = y would change a tensor in place; make another one with where, scatter or cat"
        self.network.fail(text, {"x": self})

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        hint = f"use ops.{name}(x)" if hasattr(self.operations, name) else ""
        raise missing("a Tensor", name, dir(type(self)), hint)
