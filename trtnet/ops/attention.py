"""Attention, rotary position embedding and the key-value cache."""

from __future__ import annotations

from math import sqrt

from trtnet.backend import supports, trt
from trtnet.dtypes import bool_
from trtnet.graph import Tensor
from trtnet.graph.tensor import Operand
from trtnet.ops.activation import softmax
from trtnet.ops.create import arange
from trtnet.ops.elementwise import add, ge, logical_and, mul, sub, where
from trtnet.ops.forms import form
from trtnet.ops.gather import embedding
from trtnet.ops.matmul import matmul
from trtnet.ops.operands import tensor
from trtnet.ops.shape import cat

LOWEST = -1e4
"""What is added to a masked score, or becomes of it where there is no fused layer: exp of it is 0 in any dtype."""


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Operand | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query @ key.T * scale + mask) @ value`` (Vaswani et al., 2017).

    query: [batch, heads, length, dim]. key, value: [batch, key heads, key length, dim]; key heads divide heads, and
    each serves a group of queries, with or without enable_gqa. attn_mask: bool (true where a query may look) or
    floating (added to the scores), of a shape that broadcasts to [batch, heads, length, key length]; the result of a
    query that may look nowhere is not defined, and NaN where the layer is fused (torch gives 0). is_causal: query i
    sees keys up to i, as in torch. scale: 1 / sqrt(dim) by default; the queries are multiplied by it.
    Raises LayerError for a dropout_p other than 0.
    Layer: IAttention; in the form "products" ("attention", or "decoding" for a single query), and where there is none,
    matrix products and a softmax with the same numerics.
    """
    if dropout_p:
        query.network.fail(f"attention drops nothing at inference: dropout_p is {dropout_p}", {"query": query})
    heads, groups = query.shape[1], key.shape[1]
    if not isinstance(heads, int) or not isinstance(groups, int) or heads % groups:
        query.network.fail(f"attention of {heads} heads with {groups} key heads", {"query": query, "key": key})
    width = query.shape[-1]
    if scale is None and not isinstance(width, int):
        query.network.fail("attention needs the size of its last axis, or a scale", {"query": query})
    factor = 1 / sqrt(int(width)) if scale is None else scale
    scaled = query if factor == 1 else mul(query, factor)
    function = _fused if _has_kernel(query) and _is_fused(query) else _products
    mask = None if attn_mask is None else tensor(attn_mask, query.network)
    return function(scaled, key, value, mask, is_causal)


def _has_kernel(query: Tensor) -> bool:
    """TensorRT-RTX 1.6 does not build some networks with 16-bit heads that are no multiple of 16 bytes."""
    width = query.shape[-1]
    return supports("attention_v2") and (query.dtype.bits > 16 or (isinstance(width, int) and width % 8 == 0))


def _is_fused(query: Tensor) -> bool:
    return form(query.network, "decoding" if query.shape[2] == 1 else "attention") == "fused"


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor:
    kind = trt.CausalMaskKind.UPPER_LEFT if is_causal and mask is None else trt.CausalMaskKind.NONE
    if is_causal and mask is not None:
        mask = _with_causal(mask, query, key)
    attributes: dict[str, object] = {"decomposable": True}
    if mask is not None:
        attributes["mask"] = tensor(mask, query.network, None if mask.dtype == bool_ else query.dtype, 4)
    arguments = {"query": query, "key": key, "value": value, "norm_op": trt.AttentionNormalizationOp.SOFTMAX}
    shape = (*query.shape[:3], value.shape[3])
    (y,) = query.network.add("attention_v2", arguments | {"causal_kind": kind}, attributes=attributes, dims=[shape])
    return y


def _products(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor:
    batch, heads, length, _ = query.shape
    groups, keys = key.shape[1:3]
    assert isinstance(groups, int)
    scores = matmul(_grouped(query, groups), key.mT).reshape(batch, heads, length, keys)
    if is_causal:
        mask = _causal(query, key) if mask is None else _with_causal(mask, query, key)
    if mask is not None:
        scores = where(mask, scores, LOWEST) if mask.dtype == bool_ else add(scores, mask)
    weights = _grouped(softmax(scores, -1), groups)
    return matmul(weights, value).reshape(batch, heads, length, value.shape[3])


def _grouped(x: Tensor, groups: int) -> Tensor:
    """[batch, heads, length, n] -> [batch, groups, heads / groups * length, n]: one product a group."""
    batch, heads, length, width = x.shape
    return x if groups == heads else x.reshape(batch, groups, heads // groups * length, width)


def _causal(query: Tensor, key: Tensor) -> Tensor:
    """[length, key length], true where the query is not before the key."""
    rows, columns = (arange(x.shape[2], network=x.network) for x in (query, key))
    return ge(rows.unsqueeze(1), columns.unsqueeze(0))


def _with_causal(mask: Tensor, query: Tensor, key: Tensor) -> Tensor:
    causal = _causal(query, key)
    return logical_and(mask, causal) if mask.dtype == bool_ else where(causal, mask, LOWEST)


def rotary_embedding(
    x: Tensor, cos: Operand, sin: Operand, position_ids: Tensor | None = None, interleaved: bool = False
) -> Tensor:
    """Rotates pairs of elements by angles that grow with the position (Su et al., 2021).

    x: [batch, heads, length, dim]. cos, sin: [batch, length, dim / 2], or, with position_ids [batch, length], tables
    [positions, dim / 2]. Pairs are (i, i + dim / 2), as in Llama, or (2i, 2i + 1) if interleaved, as in GPT-J.
    Layer: IRotaryEmbeddingLayer, else slices and products.
    """
    network = x.network
    cosine, sine = (tensor(table, network, x.dtype) for table in (cos, sin))
    if not supports("rotary_embedding"):
        return _rotated(x, cosine, sine, position_ids, interleaved)
    arguments = {"input": x, "cos_cache": cosine, "sin_cache": sine}
    options = {"interleaved": interleaved, "rotary_embedding_dim": 0}
    inputs = {} if position_ids is None else {3: position_ids}
    (y,) = network.add("rotary_embedding", arguments | options, inputs=inputs, dims=[x.shape])
    return y


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, position_ids: Tensor | None, interleaved: bool) -> Tensor:
    if position_ids is not None:
        cos, sin = embedding(position_ids, cos), embedding(position_ids, sin)
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    half = x.shape[-1] // 2
    left, right = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    first, second = sub(mul(left, cos), mul(right, sin)), add(mul(right, cos), mul(left, sin))
    if not interleaved:
        return cat([first, second], -1)
    return cat([first.unsqueeze(-1), second.unsqueeze(-1)], -1).reshape(x.shape)


def kv_cache_update(cache: Tensor, update: Tensor, write_indices: Tensor) -> Tensor:
    """The cache with `update` written at position write_indices of each sequence, in place.

    cache: [batch, heads, capacity, dim], an input of the network; the result must be one of its outputs, and shares the
    input's memory. update: [batch, heads, length, dim]. write_indices: [batch] int32.
    Layer: IKVCacheUpdateLayer. Raises LayerError where the backend has none.
    """
    network = cache.network
    operands = {"cache": cache, "update": update, "write_indices": write_indices}
    if not supports("kv_cache_update"):
        network.fail("kv_cache_update needs TensorRT 10.15 or newer; use ops.cat of the cache and the update", operands)
    (y,) = network.add("kv_cache_update", {**operands, "cache_mode": trt.KVCacheMode.LINEAR}, dims=[cache.shape])
    return y
