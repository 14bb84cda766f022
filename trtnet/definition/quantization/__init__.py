"""Which parameters of a network are quantized, and how: from a checkpoint, a file, or a mapping."""

from trtnet.definition.quantization.patterns import Schemes
from trtnet.definition.quantization.planning import Given, Quantize, Quantizing, Watch, advised, parameter_of
from trtnet.definition.quantization.schemes import (
    ACTIVATIONS,
    ATTENTION,
    CACHES,
    CHECKPOINT,
    NAMED,
    ActivationScheme,
    AttentionScheme,
    CacheScheme,
    CheckpointScheme,
    WeightScheme,
)

__all__ = [
    "ACTIVATIONS",
    "ATTENTION",
    "CACHES",
    "CHECKPOINT",
    "NAMED",
    "ActivationScheme",
    "AttentionScheme",
    "CacheScheme",
    "CheckpointScheme",
    "Given",
    "Quantize",
    "Quantizing",
    "Schemes",
    "Watch",
    "WeightScheme",
    "advised",
    "parameter_of",
]
