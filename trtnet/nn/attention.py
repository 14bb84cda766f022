"""Attention layers."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import reduce

from trtnet import ops
from trtnet.graph import Parameter, Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.nn.core.module import Module
from trtnet.nn.core.settings import kept
from trtnet.nn.linear import Linear
from trtnet.support.dtypes import DTypeLike, bool_
from trtnet.support.errors import ModelError
from trtnet.support.source import here
from trtnet.support.text.counted import counted

log = logging.getLogger("trtnet.nn")


class MultiheadAttention(Module):
    """torch.nn.MultiheadAttention at inference: query, key, value -> (output, weights).

    query [length, batch, embed_dim], key [length', batch, kdim], value [length', batch, vdim], floating; with the batch
    first with batch_first, or without a batch. Returns (output [length, batch, embed_dim], weights [batch, length,
    length']), of that dtype: the weights are means over the heads, with average_attn_weights=False [batch, num_heads,
    length, length'], with need_weights=False None; then, as in torch, the output may be computed by the fused
    attention, which is faster. key_padding_mask [batch, length'], attn_mask [length, length'] or [batch * num_heads,
    length, length']: bool, true where a query may **not** attend (as in torch; the opposite of
    scaled_dot_product_attention), or floating, added to the scores. is_causal: query i attends only to keys up to i,
    in addition to the masks.
    Weights: in_proj_weight [3 embed_dim, embed_dim] (queries, keys, values), or, where kdim or vdim is another size,
    q_proj_weight, k_proj_weight and v_proj_weight; in_proj_bias [3 embed_dim]; out_proj.weight [embed_dim, embed_dim],
    out_proj.bias [embed_dim]; with add_bias_kv bias_k and bias_v [1, 1, embed_dim].
    Layer: with need_weights=False that of `ops.scaled_dot_product_attention`, else those of `ops.matmul` and
    `ops.softmax`.
    Raises ModelError if num_heads does not divide embed_dim; LayerError for other ranks and widths.
    Source: Vaswani et al., 2017, arXiv:1706.03762.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            text = f"MultiheadAttention: num_heads={num_heads} does not divide embed_dim={embed_dim}"
            raise ModelError(here(text))
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        keeps = kept(dtype)
        same = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = Parameter(3 * embed_dim, embed_dim, dtype=keeps) if same else None
        widths = [None if same else width for width in (embed_dim, self.kdim, self.vdim)]
        self.q_proj_weight, self.k_proj_weight, self.v_proj_weight = (
            None if width is None else Parameter(embed_dim, width, dtype=keeps) for width in widths
        )
        self.in_proj_bias = Parameter(3 * embed_dim, dtype=keeps) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype)
        self.bias_k = Parameter(1, 1, embed_dim, dtype=keeps) if add_bias_kv else None
        self.bias_v = Parameter(1, 1, embed_dim, dtype=keeps) if add_bias_kv else None

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Operand | None = None,
        need_weights: bool = True,
        attn_mask: Operand | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        unbatched = self._is_unbatched(query, key, value)
        if unbatched:
            axis = 0 if self.batch_first else 1
            query, key, value = _each(lambda x: x.unsqueeze(axis), query, key, value)
            key_padding_mask = None if key_padding_mask is None else ops.as_tensor(key_padding_mask).unsqueeze(0)
        if not self.batch_first:
            query, key, value = _each(lambda x: x.transpose(0, 1), query, key, value)
        q, k, v = (_split(part, self.num_heads) for part in self._extended(*self._projected(query, key, value)))
        mask = self._mask(q, k, key_padding_mask, attn_mask, is_causal)
        causal = is_causal and mask is None
        weights = self._weights(q, k, mask, causal) if need_weights else None
        if weights is None:
            heads = ops.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)
        else:
            heads = ops.matmul(weights, v)
            weights = weights.mean(1) if average_attn_weights else weights
        y = self.out_proj(join_heads(heads))
        y = y if self.batch_first else y.transpose(0, 1)
        if not unbatched:
            return y, weights
        return y.squeeze(0 if self.batch_first else 1), None if weights is None else weights.squeeze(0)

    def _is_unbatched(self, query: Tensor, key: Tensor, value: Tensor) -> bool:
        named = {"query": query, "key": key, "value": value}
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            ranks = ", ".join(str(x.ndim) for x in named.values())
            text = f"MultiheadAttention takes three inputs of 3 dimensions, or of 2 without a batch, found {ranks}"
            query.network.fail(text, named)
        for (name, x), width in zip(named.items(), (self.embed_dim, self.kdim, self.vdim), strict=True):
            if isinstance(x.shape[-1], int) and x.shape[-1] != width:
                query.network.fail(f"MultiheadAttention: {name} has a width of {width}, found {x.shape[-1]}", named)
        return query.ndim == 2

    def _mask(
        self, query: Tensor, key: Tensor, padding: Operand | None, mask: Operand | None, is_causal: bool
    ) -> Tensor | None:
        """All masks as one that scaled_dot_product_attention takes."""
        masks = []
        if mask is not None:
            where = self._shown(ops.as_tensor(mask))
            split = (query.shape[0], self.num_heads, *where.shape[1:])
            masks.append(where.reshape(split) if where.ndim == 3 else where)
        if padding is not None:
            masks.append(self._shown(ops.as_tensor(padding)).unsqueeze(1).unsqueeze(1))
        if is_causal and (masks or self._added):
            rows, columns = (ops.arange(x.shape[2]) for x in (query, key))
            hidden = ops.lt(rows.unsqueeze(1), columns.unsqueeze(0))
            own = ops.lt(columns, key.shape[2] - self._added)
            masks.append(ops.logical_and(hidden, own) if self._added else hidden)
        if all(x.dtype == bool_ for x in masks):
            return ops.logical_not(reduce(ops.logical_or, masks)) if masks else None
        floats = (ops.where(x, -math.inf, 0.0) if x.dtype == bool_ else x for x in masks)
        return reduce(ops.add, (ops.cast(x, query.dtype) for x in floats))

    @property
    def _added(self) -> int:
        """The keys that no input gives."""
        return int(self.bias_k is not None) + int(self.add_zero_attn)

    def _shown(self, mask: Tensor) -> Tensor:
        """A mask with those keys, which every query sees."""
        return ops.pad(mask, (0, self._added)) if self._added else mask

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """One product where the three are one tensor, else one each with its part of the weights."""
        heads = self.num_heads // (
            query.network.division.ranks if query.network.division.of(self.in_proj_weight) else 1
        )
        merged = query is key is value and self.in_proj_weight is not None and not is_confused(query, heads)
        if merged and self.in_proj_weight is not None:
            return ops.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        weights = (ops.cast(weight, query.dtype) for weight in self._parts())
        products = [x @ weight.mT for x, weight in zip((query, key, value), weights, strict=True)]
        if self.in_proj_bias is None:
            return tuple(products)
        biases = ops.chunk(ops.cast(self.in_proj_bias, query.dtype), 3)
        return tuple(product + bias for product, bias in zip(products, biases, strict=True))

    def _parts(self) -> tuple[Tensor | Parameter, ...]:
        if self.in_proj_weight is not None:
            return ops.chunk(ops.as_tensor(self.in_proj_weight), 3)
        parts = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        return tuple(part for part in parts if part is not None)

    def _extended(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """With the key and the value of add_bias_kv, and then the zeros of add_zero_attn."""
        sizes = (q.shape[0], 1, self.embed_dim)
        if self.bias_k is not None and self.bias_v is not None:
            k, v = (
                ops.cat([x, ops.expand(ops.cast(bias, x.dtype), sizes)], 1)
                for x, bias in ((k, self.bias_k), (v, self.bias_v))
            )
        if self.add_zero_attn:
            k, v = (ops.cat([x, ops.zeros(sizes, x.dtype)], 1) for x in (k, v))
        return q, k, v

    def _weights(self, q: Tensor, k: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """[batch, heads, length, length']."""
        scores = ops.matmul(ops.mul(q, 1 / math.sqrt(self.head_dim)), k.mT)
        if causal:
            rows, columns = (ops.arange(x.shape[2]) for x in (q, k))
            mask = ops.ge(rows.unsqueeze(1), columns.unsqueeze(0))
        if mask is not None:
            scores = ops.where(mask, scores, -math.inf) if mask.dtype == bool_ else ops.add(scores, mask)
        return ops.softmax(scores, -1)


def _each(change: Callable[[Tensor], Tensor], *tensors: Tensor) -> tuple[Tensor, ...]:
    """Each changed; those that are one tensor stay one."""
    changed = {id(x): change(x) for x in {id(x): x for x in tensors}.values()}
    return tuple(changed[id(x)] for x in tensors)


def is_confused(x: Tensor, num_heads: int) -> bool:
    """Whether TensorRT-RTX 1.6 on an H200 takes positions for heads: `x` has as many of one as of the other.

    Of a product of queries, keys and values together it then computes wrong numbers, in whatever form attention is; not
    where the three are separate products, nor where the length is dynamic (tests/gpu/test_gpu_attention.py).
    """
    return x.shape[-2] == num_heads and num_heads > 1


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """x [batch, length, num_heads * dim] -> [batch, num_heads, length, dim].

    x: any dtype; in a tensor-parallel network a rank has its share of the heads. Warns where the length is fixed and
    equals num_heads: some TensorRT versions then compute wrong
    numbers (see is_confused). Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.shuffle`.
    Raises LayerError for another rank, and for a width that num_heads does not divide.
    """
    if is_confused(x, x.network.division.share(num_heads, x)):
        text = f"{counted(num_heads, 'head')} of {counted(num_heads, 'position')}: some TensorRTs compute wrong numbers"
        advice = "if x is a part of a product of queries, keys and values together; declare the length as dynamic"
        log.warning(here(f"{text} {advice}"))
    return _split(x, num_heads)


def _split(x: Tensor, num_heads: int) -> Tensor:
    num_heads = x.network.division.share(num_heads, x)
    if x.ndim != 3 or (isinstance(x.shape[2], int) and x.shape[2] % num_heads):
        found = ", ".join(map(str, x.shape))
        x.network.fail(f"split_heads takes [batch, length, {num_heads} * dim], found [{found}]", {"x": x})
    batch, length, width = x.shape
    return ops.shuffle(x, shape=(batch, length, num_heads, width // num_heads), after=(0, 2, 1, 3))


def join_heads(x: Tensor) -> Tensor:
    """x [batch, heads, length, dim] -> [batch, length, heads * dim], the inverse of split_heads.

    x: any dtype. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.shuffle`.
    Raises LayerError for another rank.
    """
    if x.ndim != 4:
        x.network.fail(f"join_heads takes [batch, heads, length, dim], found {counted(x.ndim, 'dimension')}", {"x": x})
    batch, heads, length, dim = x.shape
    return ops.shuffle(x, before=(0, 2, 1, 3), shape=(batch, length, heads * dim))
