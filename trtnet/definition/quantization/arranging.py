"""Quantized weights as TensorRT can say them: symmetric, their blocks runs of columns."""

from __future__ import annotations

import numpy as np

from trtnet.checkpoint.base import Array
from trtnet.checkpoint.quantized.scheme import WHOLE, described
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.graph.quantized import QuantizedArrays
from trtnet.support import dtypes
from trtnet.support.dtypes import DType
from trtnet.support.errors import WeightsError


def arranged(key: str, weight: QuantizedTensor, dtype: DType) -> QuantizedArrays:
    """The values, scales and corrections of a weight. dtype: that holds the values.

    Codes from 0 up are moved to be around 0, and zero points with them:
    ``(q - z) s - o = (q - m) s - ((z - m) s + o)``.
    Raises WeightsError for blocks that TensorRT does not have.
    """
    middle = 1 << (weight.bits - 1) if weight.lowest == 0 and not dtype.is_floating else 0
    values, order = weight.values, None
    if weight.groups is not None:
        order = np.argsort(weight.groups, kind="stable")
        values = values[:, order]
        if not np.array_equal(weight.groups[order], np.arange(len(order)) // weight.blocks[-1]):
            raise WeightsError(f"{key}: its blocks have different numbers of columns, which TensorRT does not have")
    moved = values.astype(np.int16) - middle if middle else values
    scale, axis, block_shape = _scales(key, weight, dtype)
    return QuantizedArrays(
        np.ascontiguousarray(moved.astype(dtype.numpy)),
        np.ascontiguousarray(scale),
        axis,
        block_shape,
        _outer(key, weight),
        _correction(weight, middle),
        order,
        weight.input_factor,
    )


def _scales(key: str, weight: QuantizedTensor, dtype: DType) -> tuple[Array, int | None, tuple[int, ...] | None]:
    """(scales, axis, block shape) as TensorRT takes them: of 4 bits, blocks are told by the axis alone."""
    scale = weight.scale if weight.outer_scale is not None or _is_power(weight.scale) else weight.scales()
    axes = [axis for axis, count in enumerate(scale.shape) if count != 1]
    if not axes:
        return scale.reshape(()), None, None
    channel = len(axes) == 1 and weight.blocks[axes[0]] == 1
    if channel and not _is_power(scale) and weight.outer_scale is None:
        return scale.reshape(-1), axes[0], None
    if dtype.bits == 4:
        along = [axis for axis, size in enumerate(weight.blocks) if size != 1]
        if len(along) != 1:
            raise WeightsError(
                f"{key} {list(weight.shape)}: TensorRT takes blocks of 4 bits along one axis, found"
                f" {described(weight.blocks)}: quantize it to 8 bits, or leave it in floats"
            )
        return scale, along[0], None
    return scale, None, tuple(n if size == WHOLE else size for n, size in zip(weight.shape, weight.blocks, strict=True))


def _is_power(scale: Array) -> bool:
    return bool(scale.dtype == dtypes.float8_e8m0fnu.numpy)


def _outer(key: str, weight: QuantizedTensor) -> float | None:
    if weight.outer_scale is None:
        return None
    if weight.outer_scale.size != 1:
        raise WeightsError(f"{key}: its scales have a scale for each expert; TensorRT takes one. Dequantize it")
    outer = np.float32(weight.outer_scale.astype(np.float32).reshape(()))
    return float(np.float32(1) / outer) if weight.outer_divides else float(outer)


def _correction(weight: QuantizedTensor, middle: int) -> Array | None:
    """[rows, blocks] float32, None where it is 0 everywhere."""
    zero = np.float32(0) if weight.zero_point is None else weight.zero_point.astype(np.float32)
    found = (zero - np.float32(middle)) * weight.scales()
    if weight.offset is not None:
        found = found + weight.offset.astype(np.float32)
    if not np.any(found):
        return None
    rows = weight.shape[0]
    return np.ascontiguousarray(
        np.broadcast_to(found.reshape(found.shape[0], -1), (rows, found.size // found.shape[0]))
    )
