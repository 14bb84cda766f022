"""Constants that are added to each other first, once: attention reads one of them.

The masked attention of Swin-T takes 88 us in its first stage, 59 without a mask beside the bias (batch 32, float16,
TensorRT-RTX 1.6 on an H200).
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.elementwise.biases import sum_of_constants
from trtnet.ops.elementwise.layers import layer
from trtnet.ops.formulations import form


@form("biases", "one")
def one(x: Tensor, y: Operand, before: Tensor, bias: Operand) -> Tensor:
    """``before + (bias + y)``."""
    both = sum_of_constants(x, bias, y)
    return layer("SUM", before.reshape(x.shape), both, "add", x.dtype)
