"""How many floating-point operations a layer is, by convention."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from trtnet.layers.read import Node

Shape = tuple[int, ...]

MOVES = (
    "ASSERTION", "ATTENTION_OUTPUT", "CAST", "CONCATENATION", "CONDITION", "CONDITIONAL_INPUT", "CONDITIONAL_OUTPUT",
    "CONSTANT", "FILL", "GATHER", "IDENTITY", "ITERATOR", "KV_CACHE_UPDATE", "LOOP_OUTPUT", "NON_ZERO", "ONE_HOT",
    "PADDING", "RECURRENCE", "REVERSE_SEQUENCE", "SCATTER", "SHAPE", "SHUFFLE", "SLICE", "SQUEEZE", "TRIP_LIMIT",
    "UNSQUEEZE",
)  # fmt: skip
"""Layers that only move data, or say when others run."""
PER_ELEMENT = {"SOFTMAX": 5, "RAGGED_SOFTMAX": 5, "NORMALIZATION": 8, "ROTARY_EMBEDDING": 3}
"""Operations an output element; 1 for what is not listed."""
OPAQUE = ("PLUGIN", "PLUGIN_V2", "PLUGIN_V3", "DIST_COLLECTIVE")
"""Layers whose work TensorRT does not tell."""


def flops(node: Node, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    """The operations of one execution of a layer; None if TensorRT does not tell. All sizes of the shapes are known.

    A multiplication and the addition of its product are two. Convolutions, products and attention count these alone
    (no bias, no softmax of the scores; a causal mask does not halve the scores). A pooled element counts the elements
    of its window, a reduction and a top-k their inputs', a softmax 5 an element, a normalization 8, a rotary embedding
    3, every other computation 1 an output element. What only moves data counts none.
    """
    if node.kind in OPAQUE:
        return None
    if node.kind in MOVES:
        return 0
    if node.kind in PRODUCTS:
        return PRODUCTS[node.kind](node.layer, inputs, outputs)
    return PER_ELEMENT.get(node.kind, 1) * sum(prod(shape) for shape in outputs)


def _convolution(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    channels = inputs[0][1] // layer.num_groups
    return 2 * prod(outputs[0]) * channels * prod(layer.kernel_size_nd)


def _deconvolution(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Every input element meets the whole kernel of its group; what the padding crops is counted."""
    channels = layer.num_output_maps // layer.num_groups
    return 2 * prod(inputs[0]) * channels * prod(layer.kernel_size_nd)


def _matrix_multiply(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    depth = inputs[0][-2 if layer.op0.name == "TRANSPOSE" else -1]
    return 2 * prod(outputs[0]) * depth


def _einsum(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    """The product of the sizes of all letters, times 2 for two operands, 1 for one."""
    terms = layer.equation.replace(" ", "").partition("->")[0].split(",")
    if [len(term) for term in terms] != [len(shape) for shape in inputs]:  # an ellipsis
        return None
    letters: dict[str, int] = {}
    for term, shape in zip(terms, inputs, strict=True):
        letters.update(zip(term, shape, strict=True))
    return len(terms) * prod(letters.values())


def _attention(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    """Scores, and their product with the values.

    query: [batch, heads, length, dim]. key, value: [batch, key heads, key length, dim]. None for packed sequences,
    whose lengths are data.
    """
    query, key, value = inputs[:3]
    if len(query) != 4 or len(key) != 4:
        return None
    return 2 * prod(query[:3]) * key[2] * (query[3] + value[3])


def _moe(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Three products for each expert of each token: gate and up [experts, hidden, inner], down [.., inner, hidden].

    hidden states: [batch, length, hidden]. selected experts: [batch, length, k].
    """
    selected, gate = inputs[1], inputs[3]
    return 2 * prod(selected) * 3 * gate[1] * gate[2]


def _pooling(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    return prod(outputs[0]) * prod(layer.window_size_nd)


def _of_input(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    return prod(inputs[0])


PRODUCTS: dict[str, Callable[[Any, list[Shape], list[Shape]], int | None]] = {
    "ATTENTION_INPUT": _attention,
    "CONVOLUTION": _convolution,
    "DECONVOLUTION": _deconvolution,
    "EINSUM": _einsum,
    "MATRIX_MULTIPLY": _matrix_multiply,
    "MOE": _moe,
    "POOLING": _pooling,
    "REDUCE": _of_input,
    "TOPK": _of_input,
}
"""Layers of which an output element is more than one operation, or of another number each."""
