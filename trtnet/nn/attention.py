"""Attention layers."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.nn.linear import Linear
from trtnet.nn.module import Module


class MultiheadAttention(Module):
    """torch.nn.MultiheadAttention: query [batch, length, embed_dim], key and value [batch, length', embed_dim].

    Weights: in_proj_weight [3 * embed_dim, embed_dim] (queries, keys, values), in_proj_bias, out_proj. Without
    batch_first the length stands before the batch, as in torch. It returns the output alone, not the attention's
    weights. attn_mask, is_causal: as in ops.scaled_dot_product_attention.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, batch_first: bool = False
    ) -> None:
        self.embed_dim, self.num_heads, self.batch_first = embed_dim, num_heads, batch_first
        self.in_proj_weight = Parameter(3 * embed_dim, embed_dim)
        self.in_proj_bias = Parameter(3 * embed_dim) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        if not self.batch_first:
            turned = {x: x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = turned[query], turned[key], turned[value]
        q, k, v = (split_heads(part, self.num_heads) for part in self._projected(query, key, value))
        y = self.out_proj(join_heads(ops.scaled_dot_product_attention(q, k, v, attn_mask, is_causal)))
        return y if self.batch_first else y.transpose(0, 1)

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """One product where the three are one tensor, else one each with its part of the weights."""
        if query is key is value:
            return ops.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        weights = ops.chunk(ops.cast(self.in_proj_weight, query.dtype), 3)
        products = [x @ weight.mT for x, weight in zip((query, key, value), weights, strict=True)]
        if self.in_proj_bias is None:
            return tuple(products)
        biases = ops.chunk(ops.cast(self.in_proj_bias, query.dtype), 3)
        return tuple(product + bias for product, bias in zip(products, biases, strict=True))


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """[batch, length, num_heads * dim] -> [batch, num_heads, length, dim]."""
    batch, length, width = x.shape
    return ops.shuffle(x, shape=(batch, length, num_heads, width // num_heads), after=(0, 2, 1, 3))


def join_heads(x: Tensor) -> Tensor:
    """[batch, heads, length, dim] -> [batch, length, heads * dim]."""
    batch, heads, length, dim = x.shape
    return ops.shuffle(x, before=(0, 2, 1, 3), shape=(batch, length, heads * dim))
