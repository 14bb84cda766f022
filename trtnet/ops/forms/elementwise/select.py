"""Choices between constants by constants, such as masks, computed before TensorRT sees them.

TensorRT-RTX 1.6 computes other layers of constants when it builds, and these when it runs: each block of Swin-T with
shifted windows makes its mask anew, 4.5 us each at batch 32 on an H200. Equal constants are one for all layers.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant as constant_layer
from trtnet.ops.formulations import form


def are_known(x: Tensor, then: Tensor, other: Tensor, name: str) -> bool:
    """Whether all are computed from constants that are no weights, by layers of which trtnet knows the values."""
    return all(each.network.known.value(each.trt) is not None for each in (x, then, other))


@form("select", "constant", applies=are_known)
def constant(x: Tensor, then: Tensor, other: Tensor, name: str) -> Tensor:
    """IConstantLayer."""
    values = [each.network.known.value(each.trt) for each in (x, then, other)]
    assert values[0] is not None and values[1] is not None and values[2] is not None
    chosen = np.where(values[0], values[1], values[2])
    return constant_layer(x.network, np.ascontiguousarray(chosen)).fresh()
