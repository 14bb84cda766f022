"""Attention layers."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.linear import Linear
from trtnet.nn.module import Module


class MultiheadAttention(Module):
    """torch.nn.MultiheadAttention of a sequence with itself, batch first: [batch, length, embed_dim] -> the same shape.

    Weights: in_proj_weight [3 * embed_dim, embed_dim] (queries, keys, values), in_proj_bias, out_proj.
    """

    def __init__(self, embed_dim: int, num_heads: int) -> None:
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.in_proj_weight = Parameter(3 * embed_dim, embed_dim)
        self.in_proj_bias = Parameter(3 * embed_dim)
        self.out_proj = Linear(embed_dim, embed_dim)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        joint = ops.linear(x, self.in_proj_weight, self.in_proj_bias)
        query, key, value = (split_heads(part, self.num_heads) for part in joint.chunk(3, -1))
        y = ops.scaled_dot_product_attention(query, key, value, attn_mask, is_causal)
        return self.out_proj(join_heads(y))


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """[batch, length, num_heads * dim] -> [batch, num_heads, length, dim]."""
    batch, length, width = x.shape
    return ops.shuffle(x, shape=(batch, length, num_heads, width // num_heads), after=(0, 2, 1, 3))


def join_heads(x: Tensor) -> Tensor:
    """[batch, heads, length, dim] -> [batch, length, heads * dim]."""
    batch, heads, length, dim = x.shape
    return ops.shuffle(x, before=(0, 2, 1, 3), shape=(batch, length, heads * dim))
