"""Quantization: TensorRT's layers of it, and weights that a network holds quantized."""

from trtnet.ops.quantization.layers import dequantize, dynamic_quantize, fake_quantize, quantize

__all__ = ["dequantize", "dynamic_quantize", "fake_quantize", "quantize"]
