"""Where scales are multiplied: in the dequantization of a weight, or, as far as that cannot, after its product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from trtnet.graph.quantized import Array, QuantizedArrays, QuantizedParameter
from trtnet.ops.quantization.layers import rounded_scale
from trtnet.support import backend, dtypes
from trtnet.support.dtypes import DType

AFTER: Mapping[str, tuple[str, ...]] = {"tensorrt_rtx": ("float16",)}
"""By backend, the dtypes of networks in which scales of channels are multiplied after the product.

TensorRT-RTX 1.6.1 rounds the sums of products of 8 bits to the network's dtype before it multiplies them by a scale a
channel, and beyond 65504 that is an infinity in float16; one scale it multiplies in float32 (H200, 2026-11-29, where
scales after the product took the same time, and dequantization in float32 1.6 times: tests/benchmarks/quantization.py).
"""


_SMALLEST, _LARGEST = -12, 6
"""The exponents of two of a row's largest scale between which float16 has the scales of its other blocks, too (what it
rounds off those, 2^-25 at most, is less than it rounds off the largest), and codes of 8 bits times it.
"""


def divided(arrays: QuantizedArrays, found: QuantizedParameter, dtype: DType) -> tuple[QuantizedArrays, Array | None]:
    """(a weight with scales that TensorRT takes, what each row of its product is multiplied by, None for nothing).

    dtype: of the network. One scale is the largest one, so that no row gets larger than it would be in that one.
    """
    of_rows = arrays.scale.ndim == 1 and arrays.axis == 0 and arrays.block_shape is None and arrays.outer_scale is None
    if found.inputs is None or not of_rows or dtype.name not in AFTER.get(backend.name(), ()):
        return shifted(arrays, dtype)
    scales = arrays.scale.astype(np.float32)
    largest = scales.max()
    if not largest > 0:
        return arrays, None
    return _of_rows(arrays, np.array(largest), None, scales / largest)


def shifted(arrays: QuantizedArrays, dtype: DType) -> tuple[QuantizedArrays, Array | None]:
    """(a weight with scales of float16, powers of two that its rows are multiplied by); the weight and None elsewhere.

    dtype: of the network. TensorRT-RTX 1.7.1 builds integers in 4 bits or blocks with scales in the dtype of the
    floats only ("Could not infer output types for operation: dequantize"), and float16 does not have those below
    6e-5 and above 65504: rows of such scales get others, and are multiplied by what these differ by.
    """
    scales, rows = arrays.scale, len(arrays.values)
    of_rows = scales.ndim > 1 or (scales.ndim == 1 and arrays.axis == 0)
    in_blocks = of_rows and (arrays.values.dtype != np.int8 or arrays.block_shape is not None)
    others = arrays.outer_scale is not None or scales.dtype == dtypes.float8_e8m0fnu.numpy
    if dtype != dtypes.float16 or not in_blocks or others or rounded_scale(scales, dtype).dtype == np.float16:
        return arrays, None
    largest = np.abs(scales.astype(np.float32)).reshape(len(scales), -1).max(1)
    found = np.frexp(largest)[1] - 1
    exponents = np.where(largest > 0, np.clip(found, _SMALLEST, _LARGEST) - found, 0)
    scaled = np.ldexp(scales.astype(np.float32), exponents.reshape(-1, *(1,) * (scales.ndim - 1)))
    factor = np.ldexp(np.float32(1), -np.repeat(exponents, -(-rows // len(scales)))[:rows])
    return _of_rows(arrays, scaled.astype(np.float16), arrays.axis, factor if exponents.any() else None)


def _of_rows(
    arrays: QuantizedArrays, scale: Array, axis: int | None, factor: Array | None
) -> tuple[QuantizedArrays, Array | None]:
    """The weight with other scales, and what its rows and their corrections are then multiplied by."""
    correction = arrays.correction
    if factor is not None and correction is not None:
        correction = np.divide(correction, factor[:, None], out=np.zeros_like(correction), where=factor[:, None] > 0)
    return replace(arrays, scale=scale, axis=axis, correction=correction), factor
