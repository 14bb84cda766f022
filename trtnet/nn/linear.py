"""Linear layers and those that pass values on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import inference_only, kept
from trtnet.ops.products.linear import biased
from trtnet.support.dtypes import DTypeLike
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import counted


class Linear(Module):
    """torch.nn.Linear: x [..., in_features] -> [..., out_features].

    x: floating, of the dtype of the weights. Returns that dtype.
    Weights: weight [out_features, in_features], bias [out_features].
    Layer: that of `ops.linear`.
    Raises LayerError for an input of another width or dtype.

    >>> import numpy as np, trtnet
    >>> weights = {"weight": np.eye(2, 3, dtype=np.float32), "bias": np.float32([0, 10])}
    >>> network = trtnet.define(trtnet.nn.Linear(3, 2), {"x": trtnet.Input((1, 3))}, weights)
    >>> network.reference()(np.float32([[1, 2, 3]])).tolist()
    [[1.0, 12.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(out_features, in_features, dtype=kept(dtype))
        self.bias = Parameter(out_features, dtype=kept(dtype)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)


class TransposedLinear(Module):
    """Linear with a transposed weight, GPT-2's Conv1D: x [..., in_features] -> [..., out_features].

    x: floating, of the dtype of the weights. Returns that dtype.
    Weights: weight [in_features, out_features], bias [out_features].
    Layer: that of `ops.matmul` and `ops.add`.
    Raises LayerError for an input of another width or dtype.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(in_features, out_features)
        self.bias = Parameter(out_features)

    def forward(self, x: Tensor) -> Tensor:
        return biased(x @ self.weight, self.bias, self.out_features, self.in_features)


class Embedding(Module):
    """torch.nn.Embedding: indices [...] -> [..., embedding_dim].

    indices: integer. padding_idx, scale_grad_by_freq, sparse: used in training only. Returns the dtype of the weight.
    Weights: weight [num_embeddings, embedding_dim].
    Layer: that of `ops.embedding`.
    Raises ModelError for max_norm, which changes the weights while torch runs, for values of weights, which come from
    the checkpoint, and for a padding_idx out of range.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        _keep_table(self, num_embeddings, embedding_dim, padding_idx, max_norm, _weight)
        self.norm_type, self.scale_grad_by_freq, self.sparse = norm_type, scale_grad_by_freq, sparse
        self.weight = Parameter(num_embeddings, embedding_dim, dtype=kept(dtype))

    def forward(self, indices: Tensor) -> Tensor:
        return ops.embedding(indices, self.weight)


class EmbeddingBag(Module):
    """torch.nn.EmbeddingBag: indices [bags, size], or [n] with offsets -> [bags, embedding_dim].

    indices, offsets: integer. mode: "mean", "sum" or "max". padding_idx: a row that is left out of every bag. Returns
    the dtype of the weight.
    Weights: weight [num_embeddings, embedding_dim].
    Layer: that of `ops.embedding_bag`.
    Raises ModelError for another mode, and as Embedding does.
    """

    padding_idx: int | None

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        if mode not in ("mean", "sum", "max"):
            raise ModelError(here(f"EmbeddingBag: mode is 'mean', 'sum' or 'max', found {mode!r}"))
        _keep_table(self, num_embeddings, embedding_dim, padding_idx, max_norm, _weight)
        self.norm_type, self.scale_grad_by_freq, self.sparse = norm_type, scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        self.weight = Parameter(num_embeddings, embedding_dim, dtype=kept(dtype))

    def forward(
        self, indices: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        return ops.embedding_bag(
            indices,
            self.weight,
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )


def _keep_table(
    table: Embedding | EmbeddingBag, rows: int, width: int, padding_idx: int | None, max_norm: float | None, weight: Any
) -> None:
    """What both keep of their arguments. Raises ModelError for what changes the weights or gives them."""
    kind = type(table).__name__
    if max_norm is not None:
        raise inference_only(kind, "max_norm changes the weights when torch runs; rescale the checkpoint's")
    if weight is not None:
        raise inference_only(kind, "weights come from the checkpoint, by their keys; not from an argument")
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ModelError(here(f"{kind}: padding_idx is one of {counted(rows, 'row')}, found {padding_idx}"))
    table.num_embeddings, table.embedding_dim, table.max_norm = rows, width, max_norm
    table.padding_idx = padding_idx if padding_idx is None else padding_idx % rows


class Bilinear(Module):
    """torch.nn.Bilinear: x1 [..., in1_features], x2 [..., in2_features] -> [..., out_features].

    x1, x2: floating, of the dtype of the weights. Returns that dtype.
    Weights: weight [out_features, in1_features, in2_features], bias [out_features].
    Layer: that of `ops.bilinear`.
    Raises LayerError for inputs of other widths.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(out_features, in1_features, in2_features, dtype=kept(dtype))
        self.bias = Parameter(out_features, dtype=kept(dtype)) if bias else None

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return ops.bilinear(x1, x2, self.weight, self.bias)


class Flatten(Module):
    """torch.nn.Flatten: x [batch, n, m, ...] -> [batch, n m ...], the axes from start_dim to end_dim as one.

    x: any shape and dtype. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.flatten`.
    Raises LayerError for an axis out of range.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(self.start_dim, self.end_dim)


class Unflatten(Module):
    """torch.nn.Unflatten: x [..., n, ...] -> [..., *unflattened_size, ...], one axis split into several.

    x: any dtype. unflattened_size: ints; one may be -1. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.unflatten`.
    Raises ModelError for named sizes; LayerError for sizes whose product is not n.
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        if not all(isinstance(size, int) for size in unflattened_size):
            raise ModelError(here(f"Unflatten takes sizes: trtnet has no named axes, found {unflattened_size!r}"))
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        return ops.unflatten(x, self.dim, self.unflattened_size)


class Identity(Module):
    """torch.nn.Identity: x [...] -> x, whatever its arguments are.

    x: any shape and dtype. Returns `x`.
    Weights: none.
    Layer: none.
    Raises nothing.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return x
