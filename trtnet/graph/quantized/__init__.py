"""Quantization of a network: what it holds quantized, and what is noted of one of floats."""

from trtnet.graph.quantized.parameters import QuantizedParameters
from trtnet.graph.quantized.values import (
    ACTIVATION_IN,
    ATTENTION_IN,
    CACHE_IN,
    CONCATENATION,
    NORM,
    SUM,
    Array,
    HeldCache,
    QuantizedActivation,
    QuantizedArrays,
    QuantizedAttention,
    QuantizedCache,
    QuantizedParameter,
    attention_name,
)
from trtnet.graph.quantized.watching import ActivationUse, AttentionUse, NormUse, ScaledNorm, Use, Watched

__all__ = [
    "ACTIVATION_IN",
    "ATTENTION_IN",
    "CACHE_IN",
    "CONCATENATION",
    "NORM",
    "SUM",
    "ActivationUse",
    "Array",
    "AttentionUse",
    "HeldCache",
    "NormUse",
    "QuantizedActivation",
    "QuantizedArrays",
    "QuantizedAttention",
    "QuantizedCache",
    "QuantizedParameter",
    "QuantizedParameters",
    "ScaledNorm",
    "Use",
    "Watched",
    "attention_name",
]
