"""Which parameters of a network are quantized, and how: from a checkpoint, a file, or a mapping."""

from trtnet.definition.quantization.planning import Given, Quantize, Quantizing, Schemes, Watch, advised, parameter_of
from trtnet.definition.quantization.schemes import (
    ATTENTION,
    CACHES,
    NAMED,
    AttentionScheme,
    CacheScheme,
    WeightScheme,
)

__all__ = [
    "ATTENTION",
    "CACHES",
    "NAMED",
    "AttentionScheme",
    "CacheScheme",
    "Given",
    "Quantize",
    "Quantizing",
    "Schemes",
    "Watch",
    "WeightScheme",
    "advised",
    "parameter_of",
]
