"""Elements put where tensors of indices say."""

from __future__ import annotations

import ml_dtypes

from trtnet.backend import trt
from trtnet.dtypes import DType
from trtnet.graph import Tensor
from trtnet.graph.tensor import Operand
from trtnet.ops.create import arange
from trtnet.ops.elementwise import add, cast, eq, maximum, minimum, mul, where
from trtnet.ops.gather import same_rank
from trtnet.ops.operands import axis, network_of, tensor
from trtnet.ops.reduce import amax, amin, any, prod, sum
from trtnet.ops.shape import expand


def scatter(x: Tensor, dim: int, index: Tensor, src: Operand) -> Tensor:
    """`x` with ``src[i][j]``, or the number src, at ``[index[i][j]][j]`` for dim 0, and so on.

    Layer: IScatterLayer ELEMENT. Raises LayerError for an index of another rank than that of `x`.
    """
    along = axis(x, dim, "scatter")
    same_rank("scatter", x, index)
    updates = _updates(x, index, src)
    arguments = {"data": x, "indices": index, "updates": updates, "mode": trt.ScatterMode.ELEMENT}
    (y,) = x.network.add("scatter", arguments, attributes={"axis": along}, dims=[x.shape])
    return y


def scatter_add(x: Tensor, dim: int, index: Tensor, src: Operand) -> Tensor:
    """`x` with ``src[i][j]`` added at ``[index[i][j]][j]`` for dim 0, and so on; equal places add up.

    TensorRT's scatter does not add, so every place is compared with every index: a product of both sizes in memory.
    Raises LayerError for an index of another rank than that of `x`.
    """
    along = axis(x, dim, "scatter_add")
    same_rank("scatter_add", x, index)
    updates = _updates(x, index, src)
    return add(x, sum(where(_hits(x, index, along), updates.unsqueeze(along + 1), 0), along))


def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, alpha: float = 1) -> Tensor:
    """`x` with ``alpha * source[i]`` added at ``[index[i]]`` for dim 0, and so on; equal places add up as scatter_add.

    index: one-dimensional.
    """
    along = axis(x, dim, "index_add")
    if index.ndim != 1:
        x.network.fail(f"index_add takes an index of one dimension, found {index.ndim}", {"x": x, "index": index})
    apart = index.reshape(-1, *(1,) * (x.ndim - along - 1))
    return scatter_add(x, along, expand(apart, source.shape), source if alpha == 1 else mul(source, alpha))


def scatter_reduce(x: Tensor, dim: int, index: Tensor, src: Operand, reduce: str, include_self: bool = True) -> Tensor:
    """`x` with each ``src[i][j]`` taken into ``[index[i][j]][j]`` by "sum", "prod", "amax" or "amin", for dim 0.

    include_self=False: what `x` has at a place that is met does not count. As scatter_add, it compares every place with
    every index. Raises ValueError for another `reduce`, LayerError for an index of another rank than that of `x`.
    """
    ways = {"sum": (sum, add), "prod": (prod, mul), "amax": (amax, maximum), "amin": (amin, minimum)}
    if reduce not in ways:
        raise ValueError(f"reduce is one of {', '.join(ways)}, found {reduce!r}")
    along = axis(x, dim, "scatter_reduce")
    same_rank("scatter_reduce", x, index)
    hits = _hits(x, index, along)
    over, with_self = ways[reduce]
    updates = where(hits, _updates(x, index, src).unsqueeze(along + 1), _neutral(reduce, x.dtype))
    reduced = over(updates, along)
    return with_self(x, reduced) if include_self else where(any(hits, along), reduced, x)


def _neutral(reduce: str, dtype: DType) -> float:
    """What changes nothing."""
    if reduce in ("sum", "prod"):
        return int(reduce == "prod")
    if dtype.is_floating:
        return float("-inf" if reduce == "amax" else "inf")
    limits = ml_dtypes.iinfo(dtype.numpy)  # type: ignore[no-untyped-call]
    return int(limits.min if reduce == "amax" else limits.max)


def _hits(x: Tensor, index: Tensor, along: int) -> Tensor:
    """Whether each index means each place: bool, with an axis of the places behind axis `along` of the index."""
    places = arange(x.shape[along], network=x.network)
    apart = places.reshape(*(1,) * (along + 1), x.shape[along], *(1,) * (x.ndim - along - 1))
    return eq(cast(index, "int64").unsqueeze(along + 1), apart)


def _updates(x: Tensor, index: Tensor, src: Operand) -> Tensor:
    """What a scatter puts at each place of the index: a number stands for as many as there are."""
    updates = tensor(src, network_of(x), x.dtype, x.ndim)
    return updates if isinstance(src, Tensor) else expand(updates, index.shape)
