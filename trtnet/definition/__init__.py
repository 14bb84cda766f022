"""From a model, its inputs and its checkpoint to a network; a PyTorch module is a model, too."""

from trtnet.definition.network import DefinedNetwork, DTypes, build, define, match_weights
from trtnet.definition.quantization import Quantize

__all__ = ["DTypes", "DefinedNetwork", "Quantize", "build", "define", "match_weights"]
