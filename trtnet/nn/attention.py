"""Attention layers."""

from __future__ import annotations

from functools import reduce

from trtnet import ops
from trtnet.dtypes import bool_
from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensor import Operand
from trtnet.nn.linear import Linear
from trtnet.nn.module import Module
from trtnet.ops.attention import NOWHERE


class MultiheadAttention(Module):
    """torch.nn.MultiheadAttention at inference: query [batch, length, embed_dim], key [batch, length', kdim], value
    [batch, length', vdim] -> (output [batch, length, embed_dim], None).

    Weights: in_proj_weight [3 * embed_dim, embed_dim] (queries, keys, values), or, where kdim or vdim is another size,
    q_proj_weight, k_proj_weight and v_proj_weight; in_proj_bias; out_proj. Without batch_first the length stands before
    the batch, as in torch.
    key_padding_mask [batch, length'], attn_mask [length, length'] or [batch * num_heads, length, length']: bool, true
    where a query may **not** look (as torch has it here, and the other way round in scaled_dot_product_attention), or
    floating, added to the scores. is_causal: query i sees keys up to i, whatever the masks.
    The attention's weights are not computed: None stands for them. Raises LayerError for need_weights=True.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        self.num_heads, self.batch_first = num_heads, batch_first
        widths = [embed_dim if width is None else width for width in (embed_dim, kdim, vdim)]
        if widths == [embed_dim] * 3:
            self.in_proj_weight = Parameter(3 * embed_dim, embed_dim)
        else:
            self.q_proj_weight, self.k_proj_weight, self.v_proj_weight = (Parameter(embed_dim, n) for n in widths)
        self.in_proj_bias = Parameter(3 * embed_dim) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Operand | None = None,
        need_weights: bool = False,
        attn_mask: Operand | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, None]:
        if need_weights:
            query.network.fail("MultiheadAttention gives no attention weights: need_weights=False", {"query": query})
        if not self.batch_first:
            turned = {x: x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = turned[query], turned[key], turned[value]
        q, k, v = (split_heads(part, self.num_heads) for part in self._projected(query, key, value))
        mask = self._mask(query, key_padding_mask, attn_mask)
        y = self.out_proj(join_heads(ops.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal)))
        return (y if self.batch_first else y.transpose(0, 1)), None

    def _mask(self, query: Tensor, padding: Operand | None, mask: Operand | None) -> Tensor | None:
        """Both masks as one that scaled_dot_product_attention takes."""
        masks = []
        if mask is not None:
            where = ops.as_tensor(mask)
            split = (query.shape[0], self.num_heads, *where.shape[1:])
            masks.append(where.reshape(split) if where.ndim == 3 else where)
        if padding is not None:
            masks.append(ops.as_tensor(padding).unsqueeze(1).unsqueeze(1))
        if all(x.dtype == bool_ for x in masks):
            return ops.logical_not(reduce(ops.logical_or, masks)) if masks else None
        return reduce(ops.add, (ops.where(x, NOWHERE, 0.0) if x.dtype == bool_ else x for x in masks))

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """One product where the three are one tensor, else one each with its part of the weights."""
        if query is key is value and hasattr(self, "in_proj_weight"):
            return ops.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        weights = (ops.cast(weight, query.dtype) for weight in self._weights())
        products = [x @ weight.mT for x, weight in zip((query, key, value), weights, strict=True)]
        if self.in_proj_bias is None:
            return tuple(products)
        biases = ops.chunk(ops.cast(self.in_proj_bias, query.dtype), 3)
        return tuple(product + bias for product, bias in zip(products, biases, strict=True))

    def _weights(self) -> tuple[Tensor | Parameter, ...]:
        if hasattr(self, "in_proj_weight"):
            return ops.chunk(ops.as_tensor(self.in_proj_weight), 3)
        return self.q_proj_weight, self.k_proj_weight, self.v_proj_weight


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """[batch, length, num_heads * dim] -> [batch, num_heads, length, dim]."""
    batch, length, width = x.shape
    return ops.shuffle(x, shape=(batch, length, num_heads, width // num_heads), after=(0, 2, 1, 3))


def join_heads(x: Tensor) -> Tensor:
    """[batch, heads, length, dim] -> [batch, length, heads * dim]."""
    batch, heads, length, dim = x.shape
    return ops.shuffle(x, before=(0, 2, 1, 3), shape=(batch, length, heads * dim))
