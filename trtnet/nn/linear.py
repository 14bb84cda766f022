"""Linear layers and those that pass values on."""

from __future__ import annotations

from trtnet import ops
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
    """torch.nn.Embedding: indices [...] int -> [..., embedding_dim]. Weight: [num_embeddings, embedding_dim]."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
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


class Identity(Module):
    """torch.nn.Identity: x."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Dropout(Identity):
    """torch.nn.Dropout at inference: x. It keeps the places of a Sequential as the checkpoint counts them."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p
