"""Elements chosen by tensors of indices."""

from __future__ import annotations

from trtnet.backend import trt
from trtnet.graph import Tensor
from trtnet.graph.tensor import Operand
from trtnet.ops.operands import axis, tensor
from trtnet.ops.reduce import amax, mean, sum
from trtnet.ops.slicing import Cut, cut, movable, restored


def embedding(indices: Tensor, weight: Operand) -> Tensor:
    """Rows of weight: indices [...] int -> [..., embedding_dim]. weight: [num_embeddings, embedding_dim].

    Layer: IGatherLayer. An index out of range is not checked.
    """
    return take(tensor(weight, indices.network), indices, 0)


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
    return take(x, index, axis(x, dim, "index_select"))


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """``y[i][j] = x[index[i][j]][j]`` for dim 0, and so on; index has the rank of `x`. Layer: IGatherLayer ELEMENT.

    Raises LayerError for an index of another rank.
    """
    if x.ndim == 0:
        return gather(x.reshape(1), dim, index.reshape(1)).reshape(index.shape)
    along = axis(x, dim, "gather")
    same_rank("gather", x, index)
    (moved,) = movable(extent_of(index, x, along))
    arguments = {"input": moved, "indices": index, "mode": trt.GatherMode.ELEMENT}
    (y,) = x.network.add("gather_v2", arguments, attributes={"axis": along}, dims=[index.shape])
    return restored(y, x)


def extent_of(index: Tensor, x: Tensor, along: int | None = None) -> Tensor:
    """The part of `x` within the index's sizes, but for axis `along`: torch looks at no more."""
    pairs = enumerate(zip(index.shape, x.shape, strict=True))
    return cut(x, {a: Cut(0, wanted) for a, (wanted, size) in pairs if a != along and wanted != size})


def take(x: Tensor, index: Tensor, along: int) -> Tensor:
    """The elements `index`, of any rank, of one axis, whose place its axes take. Layer: IGatherLayer."""
    shape = (*x.shape[:along], *index.shape, *x.shape[along + 1 :])
    (moved,) = movable(x)
    (y,) = x.network.add("gather", {"input": moved, "indices": index, "axis": along}, dims=[shape])
    return restored(y, x)


def same_rank(operation: str, x: Tensor, index: Tensor) -> None:
    """Raises LayerError for an index of another rank than that of `x`."""
    if index.ndim != x.ndim:
        text = f"{operation} takes an index of as many dimensions as its input, {x.ndim}, found {index.ndim}"
        x.network.fail(text, {"x": x, "index": index})
