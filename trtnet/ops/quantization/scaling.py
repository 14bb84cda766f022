"""Where the scales of channels are multiplied: in the dequantization of a weight, or after its product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from trtnet.graph.quantized import Array, QuantizedArrays, QuantizedParameter
from trtnet.support import backend
from trtnet.support.dtypes import DType

AFTER: Mapping[str, tuple[str, ...]] = {"tensorrt_rtx": ("float16",)}
"""By backend, the dtypes of networks in which scales of channels are multiplied after the product.

TensorRT-RTX 1.6.1 rounds the sums of products of 8 bits to the network's dtype before it multiplies them by a scale a
channel, and beyond 65504 that is an infinity in float16; one scale it multiplies in float32 (H200, 2026-11-29, where
scales after the product took the same time, and dequantization in float32 1.6 times: tests/benchmarks/quantization.py).
"""


def divided(arrays: QuantizedArrays, found: QuantizedParameter, dtype: DType) -> tuple[QuantizedArrays, Array | None]:
    """(a weight with one scale, what each row of its product is multiplied by); the weight and None where it has to be.

    dtype: of the network. The scale is the largest one, so that no row gets larger than it would be in that one.
    """
    of_rows = arrays.scale.ndim == 1 and arrays.axis == 0 and arrays.block_shape is None and arrays.outer_scale is None
    if found.inputs is None or not of_rows or dtype.name not in AFTER.get(backend.name(), ()):
        return arrays, None
    scales = arrays.scale.astype(np.float32)
    largest = scales.max()
    if not largest > 0:
        return arrays, None
    return replace(arrays, scale=np.array(largest), axis=None), scales / largest
