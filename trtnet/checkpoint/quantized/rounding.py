"""Float weights quantized by the largest magnitude of each block."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.finite import counts, is_finite
from trtnet.checkpoint.quantized.scheme import WHOLE, Blocks
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.support import dtypes
from trtnet.support.dtypes import DType

LARGEST = {"int8": 127.0, "int4": 7.0, "float8_e4m3fn": 448.0, "float4_e2m1fn": 6.0}
"""The magnitude that a block's largest one becomes, by dtype."""
_EXPONENT = {"float8_e4m3fn": 8, "float4_e2m1fn": 2}
"""That of the largest power of two of a type, for scales that are powers of two."""


def quantize(
    weight: Array,
    dtype: DType,
    blocks: Blocks,
    powers_of_two: bool = False,
    shrunk: Array | float = 1.0,
    divides: bool = False,
) -> QuantizedTensor:
    """A float weight as values of `dtype` and scales of blocks; symmetric.

    dtype: int8, int4, float8_e4m3fn or float4_e2m1fn. Scales are float32; those of float4 are float8_e4m3fn beside one
    of the weight (NVFP4). powers_of_two: scales of float8 and float4 are float8_e8m0fnu (MX).
    shrunk: the part of the largest magnitude that is represented, for each block or all. divides: the scale of float4's
    scales is a divisor, as in compressed-tensors.
    Raises ValueError for columns that blocks of 4 bits or powers of two do not divide, and for NaN and infinities.
    Source: ModelOpt, torch/quantization (amax); OCP Microscaling Formats (MX) specification, 1.0.
    """
    exact = weight.astype(np.float32)
    if says := not_finite(exact):
        raise ValueError(says)
    blocks = tuple(WHOLE if block >= size else block for size, block in zip(weight.shape, blocks, strict=True))
    rest = [size % block for size, block in zip(weight.shape, blocks, strict=True) if block != WHOLE]
    if any(rest) and (dtype.bits == 4 or powers_of_two):
        raise ValueError(f"blocks of {blocks[-1]} do not divide a weight {list(weight.shape)}")
    most, outer = largest(exact, blocks), None
    amax = most * np.float32(shrunk)
    if powers_of_two:
        exponents = np.frexp(most * np.asarray(shrunk, np.float64))[1] - 1 - _EXPONENT[dtype.name]
        scale: Array = np.ldexp(1.0, np.where(most > 0, exponents, -127).clip(-127, 127)).astype(
            ml_dtypes.float8_e8m0fnu
        )
    elif dtype == dtypes.float4_e2m1fn:
        top = np.float32(max(most.max(initial=0), 1e-30))
        outer = np.float32(6 * 448) / top if divides else top / np.float32(6 * 448)
        scale = amax / np.float32(6) * outer if divides else amax / (6 * outer)
        scale = np.maximum(scale, 2.0**-9).astype(ml_dtypes.float8_e4m3fn)
    else:
        # magnitudes so small that their scale is no normal float32 are as good as zeros, which any scale has
        most_of = np.float32(LARGEST[dtype.name])
        scale = np.where(amax >= most_of * np.finfo(np.float32).smallest_normal, amax, np.float32(1)) / most_of
    form = QuantizedTensor(
        np.empty(weight.shape, dtype.numpy), scale, blocks, dtypes.get(weight.dtype), dtype.bits,
        -(1 << (dtype.bits - 1)), outer_scale=None if outer is None else np.array(outer, np.float32),
        outer_divides=outer is not None and divides,
    )  # fmt: skip
    form.values[...] = rounded(exact / form.spread(form.scales()), dtype)
    return form


def not_finite(weight: Array) -> str:
    """What a weight has that nothing is rounded to, in words; "" where all is finite."""
    return "" if is_finite(weight) else f"it has NaN or infinite values, {counts(weight)}"


def best(weight: Array, dtype: DType, blocks: Blocks, powers_of_two: bool = False) -> QuantizedTensor:
    """The same, each block's range of the least squared error: of ranges down to half of its largest magnitude.

    Of scales that are powers of two the next ones; the scale of float4's scales is a divisor.
    """
    exact = weight.astype(np.float32)
    blocks = tuple(WHOLE if block >= size else block for size, block in zip(weight.shape, blocks, strict=True))

    def lost(part: float) -> Array:
        with np.errstate(over="ignore"):
            rounded = quantize(exact, dtype, blocks, powers_of_two, part, divides=True).dequantize("float32")
            return summed((rounded - exact) ** 2, blocks)

    parts = (2.0, 0.5) if powers_of_two else np.linspace(0.98, 0.5, 25) if dtype != dtypes.float8_e4m3fn else ()
    least = lost(1.0)
    chosen = np.ones_like(least)
    for part in parts:
        found = lost(float(part))
        chosen = np.where(found < least, np.float32(part), chosen)
        least = np.minimum(found, least)
    return quantize(weight, dtype, blocks, powers_of_two, chosen, divides=True)


def summed(values: Array, blocks: Blocks) -> Array:
    """The sum of each block, of the rank of the values."""
    for axis, block in enumerate(blocks):
        if block == WHOLE:
            values = values.sum(axis, keepdims=True)
        elif block != 1:
            values = np.add.reduceat(values, np.arange(0, values.shape[axis], block), axis)
    return values


def largest(weight: Array, blocks: Blocks) -> Array:
    """The largest magnitude of each block, of the weight's rank."""
    found = np.abs(weight)
    for axis, block in enumerate(blocks):
        if block == WHOLE:
            found = found.max(axis, keepdims=True)
        elif block != 1:
            found = np.maximum.reduceat(found, np.arange(0, found.shape[axis], block), axis)
    return found


def rounded(ratio: Array, dtype: DType) -> Array:
    """The nearest values of a dtype, halves to even, limited to its range."""
    if dtype.is_floating:
        return np.clip(ratio, -LARGEST[dtype.name], LARGEST[dtype.name]).astype(dtype.numpy)
    low = -(1 << (dtype.bits - 1))
    return np.clip(np.rint(ratio), low, -low - 1).astype(np.int8).astype(dtype.numpy)
