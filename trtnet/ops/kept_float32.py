"""Float32 layers with constants between casts from and to 16 bits, which TensorRT would compute in 16 bits.

It takes such a product for one of 16 bits with sums in float32 (TensorRT-RTX 1.6 and 1.7), and such a convolution for
one of 16 bits (1.7), and rounds their constants: weights beyond 65,504 become infinite in float16. Permutations and
reshapes in between do not hinder it, nor do a convolution's bias and factors of one; other layers do. A sum with minus
zero changes no number; the kernel adds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trtnet.graph import Network
from trtnet.graph.layers.read import Node, producers, read
from trtnet.ops.elementwise.layers import plain_layer
from trtnet.support import dtypes
from trtnet.support.backend import trt
from trtnet.support.dtypes import float32

CONVOLUTIONS, PRODUCTS = ("CONVOLUTION", "DECONVOLUTION"), ("EINSUM", "MATRIX_MULTIPLY")
MINUS_ZERO = np.array(-0.0, np.float32)


def keep_float32(network: Network) -> None:
    """Has TensorRT compute what is of float32 in float32, of a network whose layers are all there."""
    if not network.narrowed:
        return
    makers = producers(read(network.trt))
    for x, narrow in network.narrowed:
        layer = network.maker(narrow)
        if _is_alone(layer.get_input(0), makers):
            with network.at(network.places[layer.name]):
                kept = plain_layer("SUM", x, MINUS_ZERO, "minus_zero", float32)
            layer.set_input(0, kept.trt)


def _is_alone(result: trt.ITensor, makers: Mapping[Any, Node]) -> bool:
    """Whether what is cast to 16 bits was made by one layer, of a constant and what was cast from 16 bits."""
    node = _source(result, makers)
    if node is None or node.kind not in (*CONVOLUTIONS, *PRODUCTS):
        return False
    operands = [x for x in node.inputs if x is not None]
    has_own = node.kind in CONVOLUTIONS and len(operands) == 1
    has_constant = has_own or any(_is_constant(x, makers) for x in operands)
    return has_constant and any(_widens(_source(x, makers)) for x in operands)


def _source(tensor: trt.ITensor, makers: Mapping[Any, Node]) -> Node | None:
    """The layer whose result a tensor is in another shape, or with a constant added or the like; None for an input."""
    node = makers.get(tensor)
    while node is not None and (before := _before(node, makers)) is not None:
        node = makers.get(before)
    return node


def _before(node: Node, makers: Mapping[Any, Node]) -> trt.ITensor | None:
    """What a layer moves, or computes with a constant."""
    if node.kind == "ELEMENTWISE":
        others = [x for x in node.inputs if not _is_constant(x, makers)]
        return others[0] if len(others) == 1 else None
    return node.inputs[0] if node.kind == "SHUFFLE" else None


def _is_constant(tensor: trt.ITensor, makers: Mapping[Any, Node]) -> bool:
    node = makers.get(tensor)
    while node is not None and node.kind == "SHUFFLE":
        node = makers.get(node.inputs[0])
    return node is not None and node.kind == "CONSTANT"


def _widens(node: Node | None) -> bool:
    """Whether a layer casts from 16 bits."""
    return node is not None and node.kind == "CAST" and dtypes.get(node.inputs[0].dtype).bits == 16
