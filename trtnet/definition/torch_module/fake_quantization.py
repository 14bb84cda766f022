"""torch's fake quantization, which modules that were trained quantization-aware call: TensorRT's layers of int8.

Source: torch.fake_quantize_per_tensor_affine's documentation, ``(clamp(round(x / scale) + zero, low, high) - zero) *
scale``, which is ``clamp(round(x / scale), low - zero, high - zero) * scale``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from trtnet import ops
from trtnet.graph import Parameter, Tensor, current
from trtnet.graph.shapes import constant
from trtnet.ops.quantization.layers import rounded_scale
from trtnet.support.source import here

log = logging.getLogger("trtnet.definition")
Array = np.ndarray[Any, Any]


def per_tensor(x: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
    """One scale and zero point, numbers or weights of the module."""
    scale, zero = _values(scale).reshape(()), _values(zero_point).reshape(())
    return _quantized(x, scale, zero, None, quant_min, quant_max)


def per_channel(x: Tensor, scale: Any, zero_point: Any, axis: int, quant_min: int, quant_max: int) -> Tensor:
    """A scale and a zero point for each slice of an axis."""
    return _quantized(x, _values(scale), _values(zero_point), axis % x.ndim, quant_min, quant_max)


def fused(
    x: Tensor, _: Any, enabled: Any, __: Any, ___: Any, scale: Any, zero_point: Any, ____: float,
    quant_min: int, quant_max: int, axis: int, per_row: bool = False, *_____: Any,
) -> Tensor:  # fmt: skip
    """FusedMovingAvgObsFakeQuantize's function, whose observer is off: ``refusals`` has seen to that."""
    if not _values(enabled).any():
        return x
    if per_row:
        return per_channel(x, scale, zero_point, axis, quant_min, quant_max)
    return per_tensor(x, scale, zero_point, quant_min, quant_max)


def _values(operand: Any) -> Array:
    if isinstance(operand, Parameter):
        current().folded.add(current().key(operand))
        return np.asarray(current().stored(operand), np.float32)
    return np.asarray(operand, np.float32)


def _quantized(x: Tensor, scale: Array, zero: Array, axis: int | None, low: int, high: int) -> Tensor:
    least, most = low - zero, high - zero
    shape = () if axis is None else tuple(-1 if a == axis else 1 for a in range(x.ndim))
    if (least < -128).any() or (most > 127).any():
        text = "fake quantization to {} .. {} is no int8 of TensorRT: it is computed as arithmetic, without speed"
        log.warning("%s", here(text.format(int(least.min()), int(most.max()))))
        wide = ops.cast(x, "float32")
        rounded = ops.round(ops.mul(wide, (np.float32(1) / scale).reshape(shape)))
        kept = ops.minimum(ops.maximum(rounded, least.reshape(shape)), most.reshape(shape))
        return ops.cast(ops.mul(kept, scale.reshape(shape)), x.dtype)
    if (least > -128).any():
        x = ops.maximum(x, (least * scale).reshape(shape).astype(x.dtype.numpy))
    if (most < 127).any():
        x = ops.minimum(x, (most * scale).reshape(shape).astype(x.dtype.numpy))
    return ops.fake_quantize(x, constant(x.network, rounded_scale(scale, x.dtype)), axis)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "fake_quantize_per_tensor_affine": per_tensor,
    "fake_quantize_per_channel_affine": per_channel,
    "fused_moving_avg_obs_fake_quant": fused,
}
"""By torch's names."""
