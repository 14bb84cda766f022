"""Attention as two matrix products around a softmax; of a single query also as sums of elementwise products.

On an H200, TensorRT-RTX 1.6 takes 26 us a layer for IAttention of one query and 1,024 keys; a decode step of Qwen2-0.5B
is a fifth faster with these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trtnet.graph import Tensor
from trtnet.graph.quantized import QuantizedAttention
from trtnet.ops.elementwise.arithmetic import add, mul
from trtnet.ops.elementwise.comparison import where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.softmax import softmax
from trtnet.ops.forms.dtypes import has_16_bits, in_float32
from trtnet.ops.formulations import form
from trtnet.ops.products.matmul import matmul
from trtnet.ops.products.parts import sequence_of
from trtnet.ops.quantization.attention import in_8_bits, operands, watch_attention
from trtnet.ops.reductions.reduce import sum
from trtnet.ops.transformers.attention import NOWHERE, causal_mask
from trtnet.support.dtypes import bool_


def has_own_keys(query: Tensor, key: Tensor, value: Tensor, *_: object) -> bool:
    """Whether keys and values are not parts of one product.

    Of one query TensorRT-RTX 1.6.1 takes these for a packed product with one bias: in 16 bits and fixed shapes errors
    were 3 to 6 % on an H200, or it built no engine (tests/gpu/test_gpu_positions.py).
    """
    keys, values = sequence_of(key), sequence_of(value)
    return keys is None or values is None or keys[0].trt is not values[0].trt


def has_own_keys_in_16_bits(query: Tensor, *others: Any) -> bool:
    """Whether the operation is of float16 or bfloat16, and keys and values are not parts of one product."""
    return has_16_bits(query) and has_own_keys(query, *others)


@form("attention", "products")
@form("decoding", "products", applies=has_own_keys)
def products(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> Tensor:
    """Two products. query: [batch, heads, length, dim]. key, value: [batch, key heads, key length, dim]."""
    return _around_softmax(query, key, value, mask, is_causal, found, _scores, lambda scores: softmax(scores, -1))


@form("attention", "float32_softmax", applies=has_16_bits)
@form("decoding", "float32_softmax", applies=has_own_keys_in_16_bits)
def float32_softmax(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> Tensor:
    """The same with a softmax in float32."""

    def wide(scores: Tensor) -> Tensor:
        return in_float32(lambda y: softmax(y, -1), scores)

    return _around_softmax(query, key, value, mask, is_causal, found, _scores, wide)


def _is_of_floats(*arguments: object) -> bool:
    """Whether the products are not quantized."""
    return arguments[-1] is None


@form("decoding", "reduction", applies=_is_of_floats)
def reduction(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> Tensor:
    """The same with scores that are sums of elementwise products."""
    return _around_softmax(
        query, key, value, mask, is_causal, found, _summed_scores, lambda scores: softmax(scores, -1)
    )


@form("decoding", "sums", applies=_is_of_floats)
def sums(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, found: QuantizedAttention | None
) -> Tensor:
    """The same with a result that is such sums, too: values are read as they are, where a product copies them.

    On an H200 the last block of ViT-B/16, of which the class token alone is computed, is faster with it at batch 32.
    """
    return _around_softmax(
        query, key, value, mask, is_causal, found, _summed_scores, lambda scores: softmax(scores, -1), _summed_values
    )


def _around_softmax(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    is_causal: bool,
    found: QuantizedAttention | None,
    scores_of: Callable[[Tensor, Tensor], Tensor],
    weights_of: Callable[[Tensor], Tensor],
    sum_of: Callable[[Tensor, Tensor], Tensor] = matmul,
) -> Tensor:
    batch, heads, length, _ = query.shape
    groups, keys = key.shape[1:3]
    assert isinstance(groups, int)
    q, k, v = operands(_grouped(query, groups), key, value, found)
    scores = scores_of(q, k).reshape(batch, heads, length, keys)
    if is_causal:
        mask = causal_mask(query, key)
    if mask is not None:
        scores = where(mask, scores, NOWHERE) if mask.dtype == bool_ else add(scores, cast(mask, query.dtype))
    weights = _grouped(weights_of(scores), groups)
    watch_attention(q, k, weights, v)
    weights = in_8_bits(weights, found.probability if found else 1.0, found)
    return sum_of(weights, v).reshape(batch, heads, length, value.shape[3])


def _scores(query: Tensor, key: Tensor) -> Tensor:
    """[..., n, k], [..., m, k] -> [..., n, m]."""
    return matmul(query, key.mT)


def _summed_scores(query: Tensor, key: Tensor) -> Tensor:
    return sum(mul(query.unsqueeze(-2), key.unsqueeze(-3)), -1)


def _summed_values(weights: Tensor, value: Tensor) -> Tensor:
    """[..., n, k], [..., k, m] -> [..., n, m]."""
    return sum(mul(weights.unsqueeze(-1), value.unsqueeze(-3)), -2)


def _grouped(x: Tensor, groups: int) -> Tensor:
    """[batch, heads, length, n] -> [batch, groups, heads / groups * length, n]: one product a group."""
    batch, heads, length, width = x.shape
    return x if groups == heads else x.reshape(batch, groups, heads // groups * length, width)
