"""Masks that each layer of a model makes anew, of constants and sizes, made once.

TensorRT-RTX 1.6 computes other layers of constants when it builds, and these when it runs: each block of Swin-T with
shifted windows makes its mask anew, 4.5 us each at batch 32 on an H200.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.shapes import constant as constant_layer
from trtnet.ops.elementwise.layers import expression
from trtnet.ops.formulations import form


def are_known(x: Tensor, then: Tensor, other: Tensor, name: str) -> bool:
    """Whether all are computed from constants that are no weights, by layers of which trtnet knows the values."""
    return all(each.network.known.value(each.trt) is not None for each in (x, then, other))


@form("select", "constant", applies=are_known)
def constant(x: Tensor, then: Tensor, other: Tensor, name: str) -> Tensor:
    """IConstantLayer, computed before TensorRT sees it; one for equal ones."""
    values = [each.network.known.value(each.trt) for each in (x, then, other)]
    assert values[0] is not None and values[1] is not None and values[2] is not None
    chosen = np.where(values[0], values[1], values[2])
    return constant_layer(x.network, np.ascontiguousarray(chosen)).fresh()


def is_made(x: Tensor, then: Tensor, other: Tensor, name: str) -> bool:
    """Whether the network has the same choice already."""
    return expression(x, then, other) in x.network.chosen


@form("select", "shared", applies=is_made)
def shared(x: Tensor, then: Tensor, other: Tensor, name: str) -> Tensor:
    """The result of the layer that makes the same."""
    return x.network.chosen[expression(x, then, other)].fresh()
