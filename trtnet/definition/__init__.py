"""From a model, its inputs and its checkpoint to a network; a PyTorch module is a model, too."""

from trtnet.definition.building import build
from trtnet.definition.network import DefinedNetwork, DTypes, define, match_weights
from trtnet.definition.parallel import TensorParallel
from trtnet.definition.quantization import Quantize

__all__ = ["DTypes", "DefinedNetwork", "Quantize", "TensorParallel", "build", "define", "match_weights"]
