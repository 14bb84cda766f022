"""Which parameters of a network are quantized, and how: from a checkpoint, a file, or a mapping."""

from trtnet.definition.quantization.planning import Quantize, Quantizing, Schemes, Watch, advised
from trtnet.definition.quantization.schemes import NAMED, WeightScheme

__all__ = ["NAMED", "Quantize", "Quantizing", "Schemes", "Watch", "WeightScheme", "advised"]
