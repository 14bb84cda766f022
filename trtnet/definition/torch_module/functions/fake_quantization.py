"""torch's fake quantization, which modules that were trained quantization-aware call: TensorRT's layers of int8.

Source: torch.fake_quantize_per_tensor_affine's documentation, ``(clamp(round(x / scale) + zero, low, high) - zero) *
scale``, which is ``clamp(round(x / scale), low - zero, high - zero) * scale``.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trtnet import ops
from trtnet.graph import Network, Parameter, Tensor, current
from trtnet.graph.shapes import constant
from trtnet.ops.quantization.layers import rounded_scale
from trtnet.support.arrays import values
from trtnet.support.source import here

log = logging.getLogger("trtnet.definition")
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Range:
    """What a call of torch's asks for: steps of `scale`, from `least` to `most` of them. axis: what has one each."""

    scale: Array
    least: Array
    most: Array
    axis: int | None

    @property
    def is_int8(self) -> bool:
        """Whether TensorRT's int8, which has no zero point, holds it."""
        return bool((self.least >= -128).all() and (self.most <= 127).all())

    def along(self, array: Array, rank: int) -> Array:
        """An array of what each slice has, as it broadcasts over a tensor of `rank`."""
        return array.reshape(() if self.axis is None else tuple(-1 if a == self.axis else 1 for a in range(rank)))


def _per_tensor(x: Any, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Range:
    scale, zero = _values(scale).reshape(()), _values(zero_point).reshape(())
    return Range(scale, quant_min - zero, quant_max - zero, None)


def _per_channel(x: Any, scale: Any, zero_point: Any, axis: int, quant_min: int, quant_max: int) -> Range:
    scale, zero = _values(scale), _values(zero_point)
    return Range(scale, quant_min - zero, quant_max - zero, axis % x.ndim)


def _fused(
    x: Any, observer_on: Any, fake_quant_on: Any, running_min: Any, running_max: Any, scale: Any, zero_point: Any,
    averaging_const: float, quant_min: int, quant_max: int, ch_axis: int, per_row_fake_quant: bool = False,
    symmetric_quant: bool = False,
) -> Range | None:  # fmt: skip
    """FusedMovingAvgObsFakeQuantize's function, whose observer is off: ``refusals`` has seen to that."""
    if not _values(fake_quant_on).any():
        return None
    if per_row_fake_quant:
        return _per_channel(x, scale, zero_point, ch_axis, quant_min, quant_max)
    return _per_tensor(x, scale, zero_point, quant_min, quant_max)


_ASKED: dict[str, Callable[..., Range | None]] = {
    "fake_quantize_per_tensor_affine": _per_tensor,
    "fake_quantize_per_channel_affine": _per_channel,
    "fused_moving_avg_obs_fake_quant": _fused,
}


def _values(operand: Any) -> Array:
    if isinstance(operand, Parameter):
        current().folded.add(current().key(operand))
        operand = current().stored(operand)
    return np.asarray(values(operand) if isinstance(operand, torch.Tensor) else operand, np.float32)


def _quantized(asked: Callable[..., Range | None], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """A tensor of the network, as one of torch's functions of the module gives it."""
    found = asked(x, *args, **kwargs)
    if found is None:
        return x
    scale, least, most = (found.along(each, x.ndim) for each in (found.scale, found.least, found.most))
    if not found.is_int8:
        text = "fake quantization to {} .. {} is no int8 of TensorRT: it is computed as arithmetic, without speed"
        log.warning("%s", here(text.format(int(least.min()), int(most.max()))))
        rounded = ops.round(ops.mul(ops.cast(x, "float32"), np.float32(1) / scale))
        return ops.cast(ops.mul(ops.minimum(ops.maximum(rounded, least), most), scale), x.dtype)
    if (least > -128).any():
        x = ops.maximum(x, (least * scale).astype(x.dtype.numpy))
    if (most < 127).any():
        x = ops.minimum(x, (most * scale).astype(x.dtype.numpy))
    return ops.fake_quantize(x, constant(x.network, rounded_scale(found.scale, x.dtype)), found.axis)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    name: functools.partial(_quantized, asked) for name, asked in _ASKED.items()
}
"""By torch's names."""


class QuantizedWeights:
    """The weights that torch fake-quantized while a module was being called: in the network they are int8."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[torch.Tensor, int, Array, Range]] = {}

    def note(self, name: str, result: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Notes what a function of torch's own tensors gave, if it is one that quantizes, and to int8."""
        found = _ASKED[name](*args, **kwargs) if name in _ASKED else None
        if found is None or not found.is_int8 or result.is_inference():
            return
        scaled = values(args[0]).astype(np.float32) * (np.float32(1) / found.along(found.scale, args[0].ndim))
        least, most = (found.along(each, args[0].ndim) for each in (found.least, found.most))
        integers = np.clip(np.rint(scaled), least, most).astype(np.int8)
        self._found[id(result)] = result, result._version, integers, found

    def of(self, tensor: torch.Tensor, network: Network) -> Tensor | None:
        """What such a tensor is in the network: int8 values, dequantized; None for any other."""
        if id(tensor) not in self._found:
            return None
        _, version, integers, found = self._found[id(tensor)]
        if version != tensor._version:  # it was written to since
            return None
        with network:
            scale = constant(network, rounded_scale(found.scale, network.dtype))
            return ops.dequantize(integers, scale, found.axis, network.dtype)
