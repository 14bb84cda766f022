"""Linear layers and those that pass values on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtnet import ops
from trtnet.errors import ModelError
from trtnet.graph import Parameter, Tensor
from trtnet.nn.module import Module


class Linear(Module):
    """torch.nn.Linear: x [..., in_features] -> [..., out_features].

    Weights: weight [out_features, in_features], bias [out_features].
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.weight = Parameter(out_features, in_features)
        self.bias = Parameter(out_features) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)


class TransposedLinear(Module):
    """Linear with its weight stored as [in_features, out_features], which GPT-2's code calls Conv1D."""

    def __init__(self, in_features: int, out_features: int) -> None:
        self.weight = Parameter(in_features, out_features)
        self.bias = Parameter(out_features)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class Embedding(Module):
    """torch.nn.Embedding: indices [...] int -> [..., embedding_dim]. Weight: [num_embeddings, embedding_dim].

    padding_idx, scale_grad_by_freq and sparse are training's. Raises ModelError for max_norm, which changes the
    weights while torch runs.
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
    ) -> None:
        if max_norm is not None:
            raise ModelError("Embedding: max_norm changes the weights when torch runs; rescale the checkpoint's")
        self.weight = Parameter(num_embeddings, embedding_dim)

    def forward(self, indices: Tensor) -> Tensor:
        return ops.embedding(indices, self.weight)


class EmbeddingBag(Module):
    """torch.nn.EmbeddingBag: indices [bags, size] int -> [bags, embedding_dim], their "mean", "sum" or "max"."""

    def __init__(self, num_embeddings: int, embedding_dim: int, mode: str = "mean") -> None:
        self.mode = mode
        self.weight = Parameter(num_embeddings, embedding_dim)

    def forward(self, indices: Tensor) -> Tensor:
        return ops.embedding_bag(indices, self.weight, self.mode)


class Bilinear(Module):
    """torch.nn.Bilinear: x1 [..., in1_features], x2 [..., in2_features] -> [..., out_features].

    Weights: weight [out_features, in1_features, in2_features], bias [out_features].
    """

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True) -> None:
        self.weight = Parameter(out_features, in1_features, in2_features)
        self.bias = Parameter(out_features) if bias else None

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return ops.bilinear(x1, x2, self.weight, self.bias)


class Flatten(Module):
    """torch.nn.Flatten: the axes from start_dim to end_dim as one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(self.start_dim, self.end_dim)


class Unflatten(Module):
    """torch.nn.Unflatten: one axis as several; one of the sizes may be -1."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        return ops.unflatten(x, self.dim, self.unflattened_size)


class Identity(Module):
    """torch.nn.Identity: x, whatever else it is made of."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return x
