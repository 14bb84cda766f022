"""The symbolic tensor a model's ``forward`` computes with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from trtnet import dtypes
from trtnet.dtypes import DType, DTypeLike
from trtnet.errors import ModelError
from trtnet.graph.dim import Axis, Dim, Shape, Size, numel
from trtnet.graph.source import here
from trtnet.graph.symbolic import Symbolic
from trtnet.graph.values import elements
from trtnet.graph.weight import Parameter

if TYPE_CHECKING:
    from trtnet.backend import trt
    from trtnet.graph.network import Network

Operand: TypeAlias = "Tensor | Parameter | np.ndarray[Any, Any] | Dim | float | int | bool"
Index: TypeAlias = "int | Dim | slice | EllipsisType | None"
Number = float  # inside Tensor, float is a method
Binary = Callable[["Tensor", Any], "Tensor"]


def _operator(name: str) -> Binary:
    """The operator that calls ``ops.name(self, other)``."""

    def method(self: Tensor, other: Operand) -> Tensor:
        return getattr(self.operations, name)(self, other)

    return method


def _reflected(name: str) -> Binary:
    """The operator that calls ``ops.name(other, self)``."""

    def method(self: Tensor, other: Operand) -> Tensor:
        return getattr(self.operations, name)(other, self)

    return method


def _method(name: str) -> Callable[..., Any]:
    """The method that calls ``ops.name(self, ...)``."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.operations, name)(self, *args, **kwargs)

    return method


class Tensor(Symbolic):
    """A value of the network: TensorRT's ITensor with the network it belongs to.

    It has torch's operators and methods; each calls the function of the same name in ``trtnet.ops``, which says
    what it does. An operation adds layers to the network at once. A tensor never changes: ``x += y`` makes another one
    of the name x, and whatever else holds the one before keeps it.
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

    def __iter__(self) -> Any:
        if self.ndim == 0 or not isinstance(self.shape[0], int):
            raise ModelError(here(f"cannot iterate over {self!r}: its first dimension is not known"))
        return (self[i] for i in range(self.shape[0]))

    # operators
    __add__, __radd__ = _operator("add"), _reflected("add")
    __sub__, __rsub__ = _operator("sub"), _reflected("sub")
    __mul__, __rmul__ = _operator("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _operator("div"), _reflected("div")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __pow__, __rpow__ = _operator("pow"), _reflected("pow")
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __lt__ = _operator("lt")
    __le__ = _operator("le")
    __gt__ = _operator("gt")
    __ge__ = _operator("ge")
    __and__, __rand__ = _operator("bitwise_and"), _reflected("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or"), _reflected("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor"), _reflected("bitwise_xor")

    def __eq__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self.operations.eq(self, other)

    def __ne__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self.operations.ne(self, other)

    def __neg__(self) -> Tensor:
        return self.operations.neg(self)

    def __abs__(self) -> Tensor:
        return self.operations.abs(self)

    def __invert__(self) -> Tensor:
        return self.operations.bitwise_not(self)

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Tensor:
        return self.operations.getitem(self, index)

    # dtype
    def to(self, dtype: DTypeLike) -> Tensor:
        return self.operations.cast(self, dtype)

    def float(self) -> Tensor:
        return self.operations.cast(self, "float32")

    def half(self) -> Tensor:
        return self.operations.cast(self, "float16")

    def bfloat16(self) -> Tensor:
        return self.operations.cast(self, "bfloat16")

    def long(self) -> Tensor:
        return self.operations.cast(self, "int64")

    # shape
    def reshape(self, *shape: Size | Sequence[Size]) -> Tensor:
        return self.operations.reshape(self, _unpack(shape))

    view = reshape

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        return self.operations.flatten(self, start_dim, end_dim)

    def permute(self, *dims: int | Sequence[int]) -> Tensor:
        return self.operations.permute(self, _unpack(dims))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        return self.operations.transpose(self, dim0, dim1)

    @property
    def T(self) -> Tensor:  # noqa: N802  (torch's name)
        return self.operations.permute(self, tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Tensor:  # noqa: N802  (torch's name)
        return self.operations.transpose(self, -2, -1)

    def squeeze(self, dim: int | Sequence[int] | None = None) -> Tensor:
        return self.operations.squeeze(self, dim)

    def unsqueeze(self, dim: int) -> Tensor:
        return self.operations.unsqueeze(self, dim)

    def expand(self, *sizes: Size | Sequence[Size]) -> Tensor:
        return self.operations.expand(self, _unpack(sizes))

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        return self.operations.chunk(self, chunks, dim)

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
        return self.operations.split(self, split_size, dim)

    # reductions
    def sum(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
        return self.operations.sum(self, dim, keepdim)

    def mean(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
        return self.operations.mean(self, dim, keepdim)

    def prod(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        return self.operations.prod(self, dim, keepdim)

    def amax(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
        return self.operations.amax(self, dim, keepdim)

    def amin(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
        return self.operations.amin(self, dim, keepdim)

    def max(self, dim: int | None = None, keepdim: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        return self.operations.max(self, dim, keepdim)

    def min(self, dim: int | None = None, keepdim: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        return self.operations.min(self, dim, keepdim)

    def argmax(self, dim: int, keepdim: bool = False) -> Tensor:
        return self.operations.argmax(self, dim, keepdim)

    def argmin(self, dim: int, keepdim: bool = False) -> Tensor:
        return self.operations.argmin(self, dim, keepdim)

    def var(self, dim: int | Sequence[int] | None = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        return self.operations.var(self, dim, correction, keepdim)

    # elementwise
    def abs(self) -> Tensor:
        return self.operations.abs(self)

    def exp(self) -> Tensor:
        return self.operations.exp(self)

    def log(self) -> Tensor:
        return self.operations.log(self)

    def sqrt(self) -> Tensor:
        return self.operations.sqrt(self)

    def rsqrt(self) -> Tensor:
        return self.operations.rsqrt(self)

    def pow(self, exponent: Operand) -> Tensor:
        return self.operations.pow(self, exponent)

    def clamp(self, min: Number | None = None, max: Number | None = None) -> Tensor:
        return self.operations.clamp(self, min, max)

    # activations
    def relu(self) -> Tensor:
        return self.operations.relu(self)

    def sigmoid(self) -> Tensor:
        return self.operations.sigmoid(self)

    def tanh(self) -> Tensor:
        return self.operations.tanh(self)

    def softmax(self, dim: int) -> Tensor:
        return self.operations.softmax(self, dim)

    # the rest of torch's methods, with the arguments of the functions
    sin, cos, tan, asin, acos, atan = map(_method, ("sin", "cos", "tan", "asin", "acos", "atan"))
    sinh, cosh, erf, floor, ceil, round = map(_method, ("sinh", "cosh", "erf", "floor", "ceil", "round"))
    neg, sign, square, trunc, reciprocal = map(_method, ("neg", "sign", "square", "trunc", "reciprocal"))
    log2, log10, log1p, expm1, lerp, fmod = map(_method, ("log2", "log10", "log1p", "expm1", "lerp", "fmod"))
    isnan, isinf, isfinite, masked_fill = map(_method, ("isnan", "isinf", "isfinite", "masked_fill"))
    std, norm, logsumexp, any, all = map(_method, ("std", "norm", "logsumexp", "any", "all"))
    topk, sort, argsort, cumsum, cumprod = map(_method, ("topk", "sort", "argsort", "cumsum", "cumprod"))
    gather, scatter, scatter_add, index_select = map(_method, ("gather", "scatter", "scatter_add", "index_select"))
    flip, roll, tril, triu = map(_method, ("flip", "roll", "tril", "triu"))
    repeat_interleave, log_softmax, nonzero = map(_method, ("repeat_interleave", "log_softmax", "nonzero"))

    def repeat(self, *sizes: int | Sequence[int]) -> Tensor:
        return self.operations.repeat(self, _unpack(sizes))


def _unpack(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """torch takes both ``reshape(2, 3)`` and ``reshape((2, 3))``."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
