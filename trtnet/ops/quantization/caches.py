"""Caches of keys and values that a network holds in 8 bits."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.quantized import HeldCache
from trtnet.graph.shapes import constant
from trtnet.ops.create import arange
from trtnet.ops.elementwise.arithmetic import sub
from trtnet.ops.elementwise.comparison import ge, lt, where
from trtnet.ops.elementwise.layers import cast
from trtnet.ops.elementwise.logic import logical_and
from trtnet.ops.indexing.gather import gather
from trtnet.ops.quantization.layers import dequantize, quantize
from trtnet.support import dtypes
from trtnet.support.dtypes import DType


def held(x: Tensor) -> HeldCache | None:
    """What a tensor of floats is in 8 bits, None for one that was not made of that."""
    return x.network.quantized.held.get(x.trt)


def in_floats(found: HeldCache, dtype: DType) -> Tensor:
    """A cache as a model takes it, of which it is known what it is in 8 bits."""
    y = _dequantized(found, dtype)
    y.network.quantized.held[y.trt] = found
    return y


def narrowed(x: Tensor, found: HeldCache) -> HeldCache:
    """A tensor of floats in the 8 bits of a cache."""
    scale = constant(x.network, found.cache.scale)
    wide = cast(x, dtypes.float32)
    return HeldCache(found.cache, quantize(wide, scale, found.cache.axis, found.cache.dtype))


def written(found: HeldCache, update: Tensor, write_indices: Tensor) -> Tensor:
    """A cache with `update` [batch, heads, length, dim] from position write_indices [batch] of each sequence on.

    What is not written keeps its bits: TensorRT selects int8, and float8 only as floats, which are exact in float32.
    It is selected and not scattered: TensorRT-RTX 1.7.1 crashes (SIGSEGV) where it builds a scatter of a cache of
    float8, of float32, before attention of a dynamic length.
    Returns floats of the dtype of `update`.
    """
    if found.cache.dtype.is_floating:
        wide = _selected(_dequantized(found, dtypes.float32), cast(update, dtypes.float32), write_indices)
        after = narrowed(wide, found)
    else:
        values = _selected(found.values, narrowed(update, found).values, write_indices)
        after = HeldCache(found.cache, values)
    update.network.quantized.placed.add(after.values.trt)
    return in_floats(after, update.dtype)


def _selected(cache: Tensor, update: Tensor, write_indices: Tensor) -> Tensor:
    """[batch, heads, capacity, dim]: at each position that of the update which belongs there, or that of the cache."""
    batch, heads, length, dim = update.shape
    capacity = cache.shape[2]
    places = sub(arange(capacity, network=cache.network), write_indices.to("int64").unsqueeze(1))
    inside = logical_and(ge(places, 0), lt(places, length))
    taken = where(inside, places, 0).unsqueeze(1).unsqueeze(3).expand(batch, heads, capacity, dim)
    return where(inside.unsqueeze(1).unsqueeze(3), gather(update, 2, taken), cache)


def _dequantized(found: HeldCache, dtype: DType) -> Tensor:
    scale = constant(found.values.network, found.cache.scale)
    return dequantize(found.values, scale, found.cache.axis, dtype)
