"""torch's methods of a tensor: each is the function of its name in ``trtnet.ops``, the tensor its first argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from trtnet.graph.memory.storage import StoredTensor
from trtnet.graph.sizes.dim import Size
from trtnet.graph.symbolic import Symbolic
from trtnet.graph.tensors.devices import is_place
from trtnet.graph.tensors.operators import NumberOrArray
from trtnet.support.dtypes import DTypeLike

TensorT = TypeVar("TensorT")
"""The type of tensors: what the methods give."""


def _method(name: str) -> Callable[..., Any]:
    """The method that calls ``ops.name(self, ...)``."""

    def method(self: Symbolic, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.operations, name)(self, *args, **kwargs)

    return method


class _Operand(StoredTensor, Symbolic, Generic[TensorT]):
    """What has the methods: a tensor."""

    __slots__ = ()


class Casts(_Operand[TensorT]):
    """Methods with the names of types; a class of their own, since others' annotations say int, float and bool."""

    __slots__ = ()

    def to(
        self,
        *args: DTypeLike | Casts[Any] | Any,
        dtype: DTypeLike | None = None,
        device: Any = None,
        non_blocking: bool = False,
        copy: bool = False,
        memory_format: Any = None,
    ) -> TensorT:
        """torch's forms of it: a dtype, a device, both, or another tensor, whose dtype it takes.

        A device, non_blocking and memory_format are without effect.
        """
        wanted = [x for x in (*args[:2], dtype) if not is_place(x)]
        kind = wanted[0] if wanted else self.dtype
        last = 3 if args and is_place(args[0]) else 2  # where torch has copy among the arguments
        copied: Any = self.fresh() if copy or args[last : last + 1] == (True,) else self
        return self.operations.cast(copied, kind.dtype if isinstance(kind, Casts) else kind)

    def type_as(self, other: Casts[Any]) -> TensorT:
        return self.operations.cast(self, other.dtype)

    def float(self) -> TensorT:
        return self.operations.cast(self, "float32")

    def half(self) -> TensorT:
        return self.operations.cast(self, "float16")

    def bfloat16(self) -> TensorT:
        return self.operations.cast(self, "bfloat16")

    def long(self) -> TensorT:
        return self.operations.cast(self, "int64")

    def int(self) -> TensorT:
        return self.operations.cast(self, "int32")

    def byte(self) -> TensorT:
        return self.operations.cast(self, "uint8")

    def bool(self) -> TensorT:
        return self.operations.cast(self, "bool")

    def double(self) -> NoReturn:
        self.network.fail("double: TensorRT has no float64; float() gives float32", {"x": self})


class Methods(_Operand[TensorT]):
    """All others."""

    __slots__ = ()

    # shape
    def reshape(self, *sizes: Size | Sequence[Size], shape: Sequence[Size] = ()) -> TensorT:
        return self.operations.reshape(self, _unpack(sizes or (shape,)))

    def view(self, *sizes: Size | Sequence[Size], size: Sequence[Size] = ()) -> TensorT:
        return self.operations.view(self, _unpack(sizes or (size,)))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> TensorT:
        return self.operations.flatten(self, start_dim, end_dim)

    def permute(self, *axes: int | Sequence[int], dims: Sequence[int] = ()) -> TensorT:
        return self.operations.permute(self, _unpack(axes or (dims,)))

    def transpose(self, dim0: int, dim1: int) -> TensorT:
        return self.operations.transpose(self, dim0, dim1)

    @property
    def T(self) -> TensorT:  # noqa: N802  (torch's name)
        return self.operations.permute(self, tuple(reversed(range(len(self.shape)))))

    def t(self) -> TensorT:
        if len(self.shape) > 2:
            self.network.fail(f"t takes at most two dimensions, found {len(self.shape)}; see mT", {"x": self})
        return self.T

    @property
    def mT(self) -> TensorT:  # noqa: N802  (torch's name)
        return self.operations.transpose(self, -2, -1)

    @property
    def mH(self) -> TensorT:  # noqa: N802  (torch's name)
        return self.mT

    def adjoint(self) -> TensorT:
        return self.mT

    def squeeze(self, dim: int | Sequence[int] | None = None) -> TensorT:
        return self.operations.squeeze(self, dim)

    def unsqueeze(self, dim: int) -> TensorT:
        return self.operations.unsqueeze(self, dim)

    def expand(self, *sizes: Size | Sequence[Size], size: Sequence[Size] = ()) -> TensorT:
        return self.operations.expand(self, _unpack(sizes or (size,)))

    def ravel(self) -> TensorT:
        return self.operations.ravel(self)

    def broadcast_to(self, size: Sequence[Size]) -> TensorT:
        return self.operations.broadcast_to(self, size)

    def expand_as(self, other: Methods[Any]) -> TensorT:
        return self.operations.expand(self, other.shape)

    def reshape_as(self, other: Methods[Any]) -> TensorT:
        return self.operations.reshape(self, other.shape)

    def view_as(self, other: Methods[Any]) -> TensorT:
        return self.operations.view(self, other.shape)

    def repeat(self, *sizes: int | Sequence[int], repeats: Sequence[int] = ()) -> TensorT:
        return self.operations.repeat(self, _unpack(sizes or (repeats,)))

    def tile(self, *sizes: int | Sequence[int], dims: Sequence[int] = ()) -> TensorT:
        return self.operations.tile(self, _unpack(sizes or (dims,)))

    def unfold(self, dimension: int, size: Size, step: Size) -> TensorT:
        return self.operations.unfold_dim(self, dimension, size, step)

    # tensors of its dtype
    def new_zeros(
        self,
        *sizes: Size | Sequence[Size],
        size: Sequence[Size] = (),
        dtype: DTypeLike | None = None,
        device: Any = None,
        layout: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
    ) -> TensorT:
        return self.new_full(_unpack(sizes or (size,)), 0, dtype)

    def new_ones(
        self,
        *sizes: Size | Sequence[Size],
        size: Sequence[Size] = (),
        dtype: DTypeLike | None = None,
        device: Any = None,
        layout: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
    ) -> TensorT:
        return self.new_full(_unpack(sizes or (size,)), 1, dtype)

    def new_full(
        self,
        size: Sequence[Size],
        fill_value: float,
        dtype: DTypeLike | None = None,
        device: Any = None,
        *,
        layout: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
    ) -> TensorT:
        return self.operations.full(size, fill_value, self.dtype if dtype is None else dtype)

    # elementwise
    def where(self, condition: Symbolic, other: NumberOrArray | Symbolic) -> TensorT:
        return self.operations.where(condition, self, other)

    # the rest of torch's methods, with the arguments of the functions
    abs, exp, log, sqrt, rsqrt, relu, sigmoid = map(_method, ("abs", "exp", "log", "sqrt", "rsqrt", "relu", "sigmoid"))
    sin, cos, tan, asin, acos, atan = map(_method, ("sin", "cos", "tan", "asin", "acos", "atan"))
    sinh, cosh, tanh, erf, floor, ceil, round = map(_method, ("sinh", "cosh", "tanh", "erf", "floor", "ceil", "round"))
    neg, sign, square, trunc, reciprocal = map(_method, ("neg", "sign", "square", "trunc", "reciprocal"))
    log2, log10, log1p, expm1, lerp, fmod = map(_method, ("log2", "log10", "log1p", "expm1", "lerp", "fmod"))
    isnan, isinf, isfinite, masked_fill = map(_method, ("isnan", "isinf", "isfinite", "masked_fill"))
    sum, mean, prod, amax, amin = map(_method, ("sum", "mean", "prod", "amax", "amin"))
    argmax, argmin, aminmax, softmax = map(_method, ("argmax", "argmin", "aminmax", "softmax"))
    clamp_min, clamp_max = map(_method, ("clamp_min", "clamp_max"))
    max, min, var, std, norm = map(_method, ("max", "min", "var", "std", "norm"))
    logsumexp, any, all, count_nonzero = map(_method, ("logsumexp", "any", "all", "count_nonzero"))
    add, sub, mul, div, pow = map(_method, ("add", "sub", "mul", "div", "pow"))
    floor_divide, remainder, clamp, clip = map(_method, ("floor_divide", "remainder", "clamp", "clip"))
    eq, ne, lt, le, gt, ge = map(_method, ("eq", "ne", "lt", "le", "gt", "ge"))
    logical_and, logical_or, logical_xor = map(_method, ("logical_and", "logical_or", "logical_xor"))
    logical_not, maximum, minimum, atan2 = map(_method, ("logical_not", "maximum", "minimum", "atan2"))
    asinh, acosh, atanh, nan_to_num, logaddexp = map(_method, ("asinh", "acosh", "atanh", "nan_to_num", "logaddexp"))
    matmul, mm, bmm, addmm, baddbmm, outer = map(_method, ("matmul", "mm", "bmm", "addmm", "baddbmm", "outer"))
    unbind, unflatten, narrow, select, diagonal = map(_method, ("unbind", "unflatten", "narrow", "select", "diagonal"))
    movedim, moveaxis, swapaxes, swapdims = map(_method, ("movedim", "moveaxis", "swapaxes", "swapdims"))
    topk, sort, argsort = map(_method, ("topk", "sort", "argsort"))
    cumsum, cumprod, diff = map(_method, ("cumsum", "cumprod", "diff"))
    gather, scatter, scatter_add, index_select = map(_method, ("gather", "scatter", "scatter_add", "index_select"))
    index_add, index_reduce, scatter_reduce = map(_method, ("index_add", "index_reduce", "scatter_reduce"))
    chunk, split, tensor_split = map(_method, ("chunk", "split", "tensor_split"))
    index_fill, index_copy, index_put, take = map(_method, ("index_fill", "index_copy", "index_put", "take"))
    take_along_dim, masked_scatter, masked_select = map(_method, ("take_along_dim", "masked_scatter", "masked_select"))
    select_scatter, slice_scatter = map(_method, ("select_scatter", "slice_scatter"))
    diagonal_scatter, median, kthvalue, msort = map(_method, ("diagonal_scatter", "median", "kthvalue", "msort"))
    diag, diag_embed, trace, fliplr, flipud = map(_method, ("diag", "diag_embed", "trace", "fliplr", "flipud"))
    rot90, quantile, nanquantile, nansum, nanmean = map(
        _method, ("rot90", "quantile", "nanquantile", "nansum", "nanmean")
    )
    cummax, cummin, logcumsumexp, inverse = map(_method, ("cummax", "cummin", "logcumsumexp", "inverse"))
    det, slogdet, logdet, cholesky = map(_method, ("det", "slogdet", "logdet", "cholesky"))
    heaviside, ldexp, matrix_power = map(_method, ("heaviside", "ldexp", "matrix_power"))
    bitwise_and, bitwise_or, bitwise_xor = map(_method, ("bitwise_and", "bitwise_or", "bitwise_xor"))
    bitwise_not, bitwise_left_shift = map(_method, ("bitwise_not", "bitwise_left_shift"))
    bitwise_right_shift = _method("bitwise_right_shift")
    isposinf, isneginf = map(_method, ("isposinf", "isneginf"))
    flip, roll, tril, triu = map(_method, ("flip", "roll", "tril", "triu"))
    repeat_interleave, log_softmax, nonzero = map(_method, ("repeat_interleave", "log_softmax", "nonzero"))
    prelu, hardshrink = map(_method, ("prelu", "hardshrink"))


def _unpack(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """torch takes both ``reshape(2, 3)`` and ``reshape((2, 3))``."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
