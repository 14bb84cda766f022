"""Float32 layers with constants between casts from and to 16 bits, which TensorRT would compute in 16 bits.

It takes such a product for one of 16 bits with sums in float32 (TensorRT-RTX 1.6 and 1.7), and such a convolution for
one of 16 bits (1.7), and rounds their constants: weights beyond 65,504 become infinite in float16. Permutations and
reshapes in between do not hinder it, nor do a convolution's bias and factors of one; other layers do. A sum of the
result with minus zero changes no number; the kernel adds it. Of a reshaped result, TensorRT-RTX 1.7 does not build it.
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

Makers = Mapping[trt.ITensor, Node]
CONVOLUTIONS, PRODUCTS = ("CONVOLUTION", "DECONVOLUTION"), ("EINSUM", "MATRIX_MULTIPLY")
MINUS_ZERO = np.array(-0.0, np.float32)


def keep_float32(network: Network) -> None:
    """Has TensorRT compute what is of float32 in float32, of a network whose layers are all there."""
    makers = producers(read(network.trt)) if network.narrowed else {}
    for cast in network.narrowed:
        reader, number = cast, 0
        while (found := makers.get(reader.get_input(number))) and (before := _moved(found.layer, makers)) is not None:
            reader, number = found.layer, before
        if found is not None and _is_alone(found, makers):
            with network.at(network.places[found.layer.name]):
                result = network.tensor_of(found.layer.get_output(0))
                kept = plain_layer("SUM", result, MINUS_ZERO, "minus_zero", float32)
            reader.set_input(number, kept.trt)


def _is_alone(node: Node, makers: Makers) -> bool:
    """Whether a layer computes a product or a convolution of a constant and what was cast from 16 bits."""
    if node.kind not in (*CONVOLUTIONS, *PRODUCTS):
        return False
    operands = [x for x in node.inputs if x is not None]
    has_own = node.kind in CONVOLUTIONS and len(operands) == 1
    has_constant = has_own or any(_is_constant(x, makers) for x in operands)
    return has_constant and any(_is_widened(x, makers) for x in operands)


def _moved(layer: trt.ILayer, makers: Makers) -> int | None:
    """Which input a layer moves, or computes with a constant; None if it does more."""
    kind = makers[layer.get_output(0)].kind
    if kind == "ELEMENTWISE":
        others = [number for number in (0, 1) if not _is_constant(layer.get_input(number), makers)]
        return others[0] if len(others) == 1 else None
    return 0 if kind == "SHUFFLE" else None


def _is_constant(tensor: trt.ITensor, makers: Makers) -> bool:
    """Whether a tensor is a constant, in whatever shape."""
    node = makers.get(tensor)
    while node is not None and node.kind == "SHUFFLE":
        node = makers.get(node.inputs[0])
    return node is not None and node.kind == "CONSTANT"


def _is_widened(tensor: trt.ITensor, makers: Makers) -> bool:
    """Whether a tensor was cast from 16 bits, and moved or computed with a constant."""
    node: Any = makers.get(tensor)
    while node is not None and (number := _moved(node.layer, makers)) is not None:
        node = makers.get(node.inputs[number])
    return node is not None and node.kind == "CAST" and dtypes.get(node.inputs[0].dtype).bits == 16
