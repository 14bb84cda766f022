"""The operands of attention's two products: quantized, or noted for calibration."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.quantized import AttentionUse, QuantizedAttention
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.quantization.layers import dequantize, fake_quantize, quantize, rounded_scale
from trtnet.support.dtypes import float32, int8


def in_8_bits(x: Tensor, scale: float, found: QuantizedAttention | None) -> Tensor:
    """An operand as the products take it: quantized and dequantized, as it is where they are of floats.

    Codes of int8 are those of float32, in which TensorRT multiplies by the scale's reciprocal: in float16 it rounds
    that, and a softmax makes much of the codes that are others then. On an H200 the result is off by 8.3e-3 to 9.8e-3
    from the reference instead of 1.1e-2 to 2.3e-2, in at most 2.5 % more time (tests/benchmarks/attention_rounding.py).
    """
    if found is None:
        return x
    exact = np.array(scale, np.float32)
    rounded = rounded_scale(exact, x.dtype)
    if found.dtype != int8:
        return fake_quantize(x, rounded, dtype=found.dtype)
    return dequantize(quantize(cast(x, float32), exact, dtype=int8), rounded, dtype=x.dtype)


def operands(
    query: Tensor, key: Tensor, value: Tensor, found: QuantizedAttention | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values as the products take them. query: with the attention's factor."""
    if found is None:
        return query, key, value
    scales = (found.query, found.key, found.value)
    q, k, v = (in_8_bits(x, scale, found) for x, scale in zip((query, key, value), scales, strict=True))
    return q, k, v


def is_watched(x: Tensor) -> bool:
    """Whether the operands of products are noted, so that probabilities have to be a tensor of the network."""
    return x.network.quantized.watched is not None


def watch_attention(query: Tensor, key: Tensor, probability: Tensor, value: Tensor) -> None:
    """Notes the operands of both products, where they are to be known."""
    watched = query.network.quantized.watched
    if watched is not None:
        use = AttentionUse(query.fresh(), key.fresh(), probability.fresh(), value.fresh())
        watched.attentions.setdefault(query.network.path, []).append(use)
