"""What torch's functions are in a network, where they are not simply the operation of their name."""

from trtnet.definition.torch_module.functions.exceptions import CAST, TABLE, WEIGHTED
from trtnet.definition.torch_module.functions.fake_quantization import QuantizedWeights
from trtnet.definition.torch_module.functions.names import as_functional, is_method, name_of

__all__ = ["CAST", "TABLE", "WEIGHTED", "QuantizedWeights", "as_functional", "is_method", "name_of"]
