"""Rows of a table, put together by bags."""

from __future__ import annotations

import math

from trtnet.graph import Size, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import maximum, mul
from trtnet.ops.elementwise.comparison import eq, ge, lt, ne, where
from trtnet.ops.elementwise.division import div
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.indexing.embedding import embedding
from trtnet.ops.products.matmul import matmul
from trtnet.ops.reductions.reduce import amax, sum
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.shape import unsqueeze
from trtnet.support import dtypes
from trtnet.support.text.counted import counted

MODES = ("mean", "sum", "max")


def embedding_bag(
    indices: Tensor,
    weight: Operand,
    offsets: Operand | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Operand | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The mean, sum or largest of the rows of each bag; 0 for an empty bag.

    indices: [bags, size], integer; or [n], with offsets [bags] (integer) for the index at which each bag begins (with
    include_last_offset, also where the last one ends). weight: [num_embeddings, embedding_dim], floating.
    per_sample_weights: a factor for each index, in mode "sum". padding_idx: a row that counts in no bag. Computed in
    float32. Returns [bags, embedding_dim], in the dtype of `weight`.
    Layer: none, decomposed into IGatherLayer and IReduceLayer; with offsets, IMatrixMultiplyLayer for all bags at once.
    Raises LayerError for another mode, for max_norm, and for per_sample_weights in another mode than "sum".
    Source: torch.nn.functional.embedding_bag's documentation.
    """
    named = {"indices": indices}
    if mode not in MODES:
        indices.network.fail(f"embedding_bag: mode is {', '.join(MODES)}, found {mode!r}", named)
    if max_norm is not None:
        text = "embedding_bag: max_norm changes the weights when torch runs; rescale the checkpoint's"
        indices.network.fail(text, named)
    if indices.ndim not in (1, 2) or (indices.ndim == 1) == (offsets is None):
        text = "embedding_bag takes indices [bags, size], or [n] with offsets [bags]"
        indices.network.fail(f"{text}, found {counted(indices.ndim, 'dimension')}, {_with(offsets)} offsets", named)
    if per_sample_weights is not None and mode != "sum":
        indices.network.fail(f"embedding_bag takes per_sample_weights with mode='sum', found {mode!r}", named)
    table = tensor(weight, indices.network)
    rows = cast(embedding(indices, table), "float32")  # [..., width]
    if per_sample_weights is not None:
        rows = mul(rows, unsqueeze(cast(per_sample_weights, "float32"), -1))
    used = None if padding_idx is None else ne(indices, _row(padding_idx, table.shape[0]))
    if offsets is None:
        return cast(_of_rows(rows, used, mode), table.dtype)
    held = _held(indices.shape[0], tensor(offsets, indices.network), include_last_offset)
    held = held if used is None else logical_and(held, unsqueeze(used, 0))
    return cast(_of_bags(rows, held, mode), table.dtype)


def _with(offsets: Operand | None) -> str:
    return "without" if offsets is None else "with"


def _row(padding_idx: int, rows: Size) -> Operand:
    return padding_idx if padding_idx >= 0 else rows + padding_idx


def _of_rows(rows: Tensor, counted: Tensor | None, mode: str) -> Tensor:
    """rows: [bags, size, width]; counted: [bags, size]."""
    size = rows.shape[1]
    if size == 0:
        return sum(rows, 1)
    if counted is None:
        return amax(rows, 1) if mode == "max" else _mean(sum(rows, 1), size) if mode == "mean" else sum(rows, 1)
    kept = unsqueeze(counted, -1)
    number = unsqueeze(sum(cast(counted, "float32"), 1), -1)
    if mode == "max":
        return where(eq(number, 0), 0.0, amax(where(kept, rows, -math.inf), 1))
    total = sum(where(kept, rows, 0.0), 1)
    return total if mode == "sum" else _mean(total, number)


def _mean(total: Tensor, number: Operand) -> Tensor:
    return div(total, maximum(number, 1.0) if isinstance(number, Tensor) else number)


def _held(n: Size, offsets: Tensor, include_last_offset: bool) -> Tensor:
    """[bags, n]: which indices a bag holds."""
    begins = offsets[:-1] if include_last_offset else offsets
    last = tensor(n, offsets.network, offsets.dtype, 1)
    ends = offsets[1:] if include_last_offset else cat([offsets[1:], last])
    places = unsqueeze(arange(n, dtype=offsets.dtype), 0)
    return logical_and(ge(places, unsqueeze(begins, 1)), lt(places, unsqueeze(ends, 1)))


def _of_bags(rows: Tensor, held: Tensor, mode: str) -> Tensor:
    """rows: [n, width]; held: [bags, n]."""
    number = unsqueeze(sum(cast(held, "float32"), 1), -1)
    if mode == "max":
        widened = where(unsqueeze(held, -1), unsqueeze(rows, 0), -math.inf)
        return where(eq(number, 0), 0.0, amax(widened, 1))
    total = matmul(cast(held, dtypes.float32), rows)
    return total if mode == "sum" else _mean(total, number)
