"""Quantized checkpoints: the formats that are published, read as values and scales, or as floats."""

from trtnet.checkpoint.quantized.quantization import FAMILIES, Quantization, quantization_of
from trtnet.checkpoint.quantized.scheme import WHOLE, Scheme
from trtnet.checkpoint.quantized.tensor import QuantizedTensor
from trtnet.checkpoint.quantized.weight import QuantizedWeight

__all__ = [
    "FAMILIES",
    "WHOLE",
    "Quantization",
    "QuantizedTensor",
    "QuantizedWeight",
    "Scheme",
    "quantization_of",
]
