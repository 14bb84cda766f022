"""Quantized kernels of convolutions: their scales are in a layer of their own, which a batch norm may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from trtnet.graph import OpenNetwork, Parameter, Tensor, Weight
from trtnet.graph.quantized import Array
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import ndim_of
from trtnet.ops.quantization.layers import dequantize, rounded_scale
from trtnet.ops.quantization.weights import quantized, quantized_inputs, quantized_weight, watch
from trtnet.support import backend
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType, float8_e4m3fn

OF_CHANNELS: Mapping[str, tuple[str, ...]] = {"tensorrt_rtx": ("float8_e4m3fn",)}
"""By backend, the dtypes of kernels whose one scale is given once for each channel.

TensorRT-RTX 1.6.1 multiplies the results of a float8 convolution by a wrong number if its kernel has one scale (H200,
2026-11-29: 360 times too large), and is right with equal scales of channels.
"""
BIASED: Mapping[str, tuple[str, ...]] = {"tensorrt_rtx": ("float32",)}
"""By backend, the dtypes of networks in which a float8 convolution without a bias gets one of zeros.

TensorRT-RTX 1.6.1 computes it wrong in float32 (H200, 2026-11-29: relative error 1), and is right with a bias.
"""


@dataclass(frozen=True)
class HeldScales:
    """The scales of a quantized kernel. layer: the constant that they are. scales: [out_channels] or one, above 0.

    values, dtype: what they are the scales of, and what that is dequantized to.
    """

    layer: trt.ILayer
    scales: Array
    values: Tensor
    dtype: DType

    def times(self, factors: Array) -> HeldScales | None:
        """With a factor for each channel; None where that is no scale: infinite, negative, too small or several."""
        if self.scales.ndim == 0:
            if (factors != factors[:1]).any():
                return None
            factors = factors[0]
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.asarray(self.scales.astype(np.float64) * factors, self.scales.dtype)
        smallest = float(ml_dtypes.finfo(scaled.dtype).smallest_normal)  # type: ignore[no-untyped-call]
        wide = scaled.astype(np.float32)
        fits = bool(np.isfinite(wide).all() and (wide >= smallest).all())
        return HeldScales(self.layer, scaled, self.values, self.dtype) if fits else None

    def settle(self, network: OpenNetwork) -> None:
        """Gives the layer its values."""
        network.give(self.layer, {"weights": Weight(self.scales)})

    def again(self) -> tuple[Tensor, HeldScales]:
        """(the kernel, its scales) as further layers."""
        return _held(self.values, self.scales, self.dtype)


def operands(
    x: Tensor, weight: Operand, bias: Operand | None = None, groups: int = 1
) -> tuple[Tensor, Operand, HeldScales | None]:
    """(inputs, kernel, scales) of a convolution; of a quantized kernel both dequantized tensors, else as they are.

    scales: those of a symmetric kernel with one, or one for each channel of its results; None for others.
    """
    watch(x, weight, bias, 1 - ndim_of(weight), groups)
    found = quantized(x.network, weight)
    if found is None or not isinstance(weight, Parameter):
        return x, weight, None
    if groups != 1 and found.inputs == float8_e4m3fn:
        x.network.quantized.grouped.add(x.network.key(weight))
    arrays, dtype = found.read(), weight.declared or x.network.dtype
    shared = arrays.axis == 0 or arrays.scale.size == 1
    plain = shared and arrays.outer_scale is None and arrays.block_shape is None
    if not plain or any(part is not None for part in (arrays.correction, arrays.order, arrays.factor)):
        return quantized_inputs(x, found), quantized_weight(x.network, weight, found), None
    scale = arrays.scale if arrays.axis == 0 else arrays.scale.reshape(())
    if scale.ndim == 0 and arrays.values.dtype.name in OF_CHANNELS.get(backend.name(), ()):
        scale = np.repeat(scale, arrays.values.shape[0])
    made = {"shape": arrays.values.shape, "weights": x.network.weight(arrays.values)}
    (values,) = x.network.add("constant", made)
    return quantized_inputs(x, found), *_held(values, rounded_scale(scale, dtype), dtype)


def bias_of(x: Tensor, bias: Operand | None, held: HeldScales | None) -> Operand | None:
    """The bias that a convolution is given. held: the scales of its kernel, where it is a quantized one."""
    if bias is not None or held is None or held.values.dtype != float8_e4m3fn:
        return bias
    return np.zeros(held.values.shape[0], np.float32) if x.dtype.name in BIASED.get(backend.name(), ()) else None


def _held(values: Tensor, scales: Array, dtype: DType) -> tuple[Tensor, HeldScales]:
    (scale,) = values.network.add("constant", {"shape": scales.shape, "weights": Weight(scales)})
    axis = 0 if scales.ndim else None
    return dequantize(values, scale, axis, dtype), HeldScales(values.network.maker(scale), scales, values, dtype)
