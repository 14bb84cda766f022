"""Elements chosen by tensors of indices."""

from __future__ import annotations

from trtnet.backend import trt
from trtnet.graph import Tensor
from trtnet.graph.tensor import Operand
from trtnet.ops.create import arange
from trtnet.ops.elementwise import add, cast, eq, where
from trtnet.ops.operands import axis, network_of, tensor
from trtnet.ops.reduce import amax, mean, sum


def embedding(indices: Tensor, weight: Operand) -> Tensor:
    """Rows of weight: indices [...] int -> [..., embedding_dim]. weight: [num_embeddings, embedding_dim].

    Layer: IGatherLayer. An index out of range is not checked.
    """
    return _take(tensor(weight, indices.network), indices, 0)


def embedding_bag(indices: Tensor, weight: Operand, mode: str = "mean") -> Tensor:
    """The "mean", "sum" or "max" of the rows of each bag: indices [bags, size] int -> [bags, embedding_dim]."""
    modes = {"mean": mean, "sum": sum, "max": amax}
    if mode not in modes or indices.ndim != 2:
        indices.network.fail(
            f"embedding_bag takes indices [bags, size] and mode {', '.join(modes)}, found {mode!r}",
            {"indices": indices},
        )
    return modes[mode](embedding(indices, weight), 1)


def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """The elements `index` (one-dimensional) of axis `dim`. Layer: IGatherLayer."""
    return _take(x, index, axis(x, dim, "index_select"))


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """``y[i][j] = x[index[i][j]][j]`` for dim 0, and so on; index has the rank of `x`. Layer: IGatherLayer ELEMENT."""
    along = axis(x, dim, "gather")
    arguments = {"input": x, "indices": index, "mode": trt.GatherMode.ELEMENT}
    (y,) = x.network.add("gather_v2", arguments, attributes={"axis": along}, dims=[index.shape])
    return y


def scatter(x: Tensor, dim: int, index: Tensor, src: Operand) -> Tensor:
    """`x` with ``src[i][j]`` at ``[index[i][j]][j]`` for dim 0, and so on. Layer: IScatterLayer ELEMENT."""
    along = axis(x, dim, "scatter")
    updates = tensor(src, network_of(x), x.dtype)
    arguments = {"data": x, "indices": index, "updates": updates, "mode": trt.ScatterMode.ELEMENT}
    (y,) = x.network.add("scatter", arguments, attributes={"axis": along}, dims=[x.shape])
    return y


def scatter_add(x: Tensor, dim: int, index: Tensor, src: Operand) -> Tensor:
    """`x` with ``src[i][j]`` added at ``[index[i][j]][j]`` for dim 0, and so on; equal places add up.

    TensorRT's scatter does not add, so every place is compared with every index: a product of both sizes in memory.
    """
    along = axis(x, dim, "scatter_add")
    updates = tensor(src, x.network, x.dtype)
    places = arange(x.shape[along], network=x.network)
    apart = places.reshape(*(1,) * (along + 1), x.shape[along], *(1,) * (x.ndim - along - 1))
    hits = eq(cast(index, "int64").unsqueeze(along + 1), apart)
    return add(x, sum(where(hits, updates.unsqueeze(along + 1), 0), along))


def _take(x: Tensor, index: Tensor, along: int) -> Tensor:
    shape = (*x.shape[:along], *index.shape, *x.shape[along + 1 :])
    (y,) = x.network.add("gather", {"input": x, "indices": index, "axis": along}, dims=[shape])
    return y
