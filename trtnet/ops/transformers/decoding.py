"""What the decoder of a language model has beside attention: rotary positions, caches of keys and values."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.indexing.embedding import embedding
from trtnet.ops.quantization.caches import held, written
from trtnet.ops.shapes.joining import cat
from trtnet.support.backend import supports, trt


def rotary_embedding(
    x: Tensor, cos: Operand, sin: Operand, position_ids: Tensor | None = None, interleaved: bool = False
) -> Tensor:
    """Rotates pairs of elements by angles that grow with the position.

    x: [batch, heads, length, dim], floating. cos, sin: [batch, length, dim / 2], or, with position_ids [batch, length]
    (integer), tables [positions, dim / 2]. Pairs are (i, i + dim / 2), as in Llama, or (2i, 2i + 1) if interleaved, as
    in GPT-J. Returns the shape and dtype of `x`.
    Layer: IRotaryEmbeddingLayer; on backends without it, ISliceLayer and IElementWiseLayer.
    Raises LayerError for tables whose sizes do not fit.
    Source: Su et al., 2021, arXiv:2104.09864.
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

    cache: [batch, heads, capacity, dim], floating, an input of the network; the result must be one of its outputs, and
    shares the input's memory. update: [batch, heads, length, dim], of the same dtype. write_indices: [batch], int32.
    Returns the shape and dtype of `cache`.
    Layer: IKVCacheUpdateLayer. It refuses a cache that the network holds in 8 bits: that is IGatherLayer, ISelectLayer
    and quantization, and the result has memory of its own.
    Raises LayerError where the backend does not have it: TensorRT before 10.15.
    """
    network, quantized = cache.network, held(cache)
    if quantized is not None:
        return written(quantized, update, write_indices)
    operands = {"cache": cache, "update": update, "write_indices": write_indices}
    if not supports("kv_cache_update"):
        network.fail("kv_cache_update needs TensorRT 10.15 or newer; use ops.cat of the cache and the update", operands)
    (y,) = network.add("kv_cache_update", {**operands, "cache_mode": trt.KVCacheMode.LINEAR}, dims=[cache.shape])
    return y
