"""How many floating-point operations a layer is, by convention.

A multiplication and the addition of its product are two. Convolutions, products and attention count only these
(no bias, no softmax of the scores; a causal mask does not halve the scores). A pooled element counts the elements
of its window, a reduction and a top-k their inputs', a softmax 5 an element, a normalization 8, a rotary embedding
3, every other computation 1 an output element. What only moves data counts none.

A rule takes TensorRT's layer, the shapes of its inputs and those of its outputs, all sizes known. It returns the
operations of one execution; None where TensorRT does not tell.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from trtnet.support.arrays import StaticShape

FlopsRule = Callable[[Any, list[StaticShape], list[StaticShape]], int | None]


def none(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int:
    """Of layers that only move data, or say when others run."""
    return 0


def unknown(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> None:
    """Of layers whose work TensorRT does not tell."""


def per_element(number: int) -> FlopsRule:
    """As many for each output element."""
    return lambda layer, inputs, outputs: number * sum(prod(shape) for shape in outputs)


def per_input_element(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int:
    """One for each element of the first input."""
    return prod(inputs[0])


def convolution(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int:
    """Every output element is a product with the whole kernel of its group."""
    channels = inputs[0][1] // layer.num_groups
    return 2 * prod(outputs[0]) * channels * prod(layer.kernel_size_nd)


def deconvolution(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int:
    """Every input element meets the whole kernel of its group; what the padding crops is counted."""
    channels = layer.num_output_maps // layer.num_groups
    return 2 * prod(inputs[0]) * channels * prod(layer.kernel_size_nd)


def matrix_multiply(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int:
    """Every output element is a product as deep as the matrices' common axis."""
    depth = inputs[0][-2 if layer.op0.name == "TRANSPOSE" else -1]
    return 2 * prod(outputs[0]) * depth


def einsum(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int | None:
    """The product of the sizes of all letters, times 2 for two operands, 1 for one."""
    terms = layer.equation.replace(" ", "").partition("->")[0].split(",")
    if [len(term) for term in terms] != [len(shape) for shape in inputs]:  # an ellipsis
        return None
    letters: dict[str, int] = {}
    for term, shape in zip(terms, inputs, strict=True):
        letters.update(zip(term, shape, strict=True))
    return len(terms) * prod(letters.values())


def attention(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int | None:
    """Scores, and their product with the values.

    query: [batch, heads, length, dim]. key, value: [batch, key heads, key length, dim]. None for packed sequences,
    whose lengths are data.
    """
    query, key, value = inputs[:3]
    if len(query) != 4 or len(key) != 4:
        return None
    return 2 * prod(query[:3]) * key[2] * (query[3] + value[3])


def moe(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int:
    """Three products for each expert of each token: gate and up [experts, hidden, inner], down [.., inner, hidden].

    hidden states: [batch, length, hidden]. selected experts: [batch, length, k].
    """
    selected, gate = inputs[1], inputs[3]
    return 2 * prod(selected) * 3 * gate[1] * gate[2]


def pooling(layer: Any, inputs: list[StaticShape], outputs: list[StaticShape]) -> int:
    """Every output element is of the elements of its window."""
    return prod(outputs[0]) * prod(layer.window_size_nd)
