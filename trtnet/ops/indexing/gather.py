"""Elements chosen by tensors of indices."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import axis, tensor
from trtnet.ops.shapes.slicing import Cut, cut, movable, restored
from trtnet.support.backend import trt


def index_select(x: Tensor, dim: int, index: Operand) -> Tensor:
    """The elements at `index` along axis `dim`.

    x: [..., n, ...], of any dtype. index: [k], integer. Returns [..., k, ...], in the dtype of `x`.
    Layer: IGatherLayer.
    Raises LayerError for an axis out of range.
    """
    return take(x, tensor(index, x.network), axis(x, dim, "index_select"))


def gather(x: Tensor, dim: int, index: Operand) -> Tensor:
    """``y[i][j] = x[index[i][j]][j]`` for dim 0, and so on for other axes.

    x: any shape and dtype. index: integer, of the rank of `x`, no larger than `x` but along `dim`. Returns the shape of
    `index`, in the dtype of `x`.
    Layer: IGatherLayer ELEMENT.
    Raises LayerError for an index of another rank.
    """
    index = tensor(index, x.network)
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


def single(x: Tensor, index: int, along: int) -> Tensor:
    """The element `index` of one axis, which is then of size 1. Layer: IGatherLayer.

    TensorRT-RTX makes a slice of it where the index has no axis.
    """
    return take(x, constant(x.network, np.array([index], np.int32)), along)


def same_rank(operation: str, x: Tensor, index: Tensor) -> None:
    """Raises LayerError for an index of another rank than that of `x`."""
    if index.ndim != x.ndim:
        text = f"{operation} takes an index of as many dimensions as its input, {x.ndim}, found {index.ndim}"
        x.network.fail(text, {"x": x, "index": index})
