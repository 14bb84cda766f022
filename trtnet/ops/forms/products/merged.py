"""Products of one tensor with several weights as one product with all of them: queries, keys and values, gate and up.

The first product of a tensor makes a constant layer with its weight, and a slice of the result. Each further one adds
its weight to the constant, by which the result grows, and takes a slice of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from trtnet.graph import Parameter, Tensor, Weight
from trtnet.ops.forms.products.rows import ROWS, summed, with_rows, without_rows
from trtnet.ops.formulations import form
from trtnet.ops.products.layer import product
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.backend import trt

MOST_HEADS = 128


@dataclass
class _Merged:
    """The constant layer of all weights, and the result with them."""

    layer: trt.ILayer
    result: Tensor
    weights: list[Weight] = field(default_factory=list)

    @property
    def features(self) -> int:
        return _rows(self.weights)


def _rows(weights: Sequence[Weight]) -> int:
    return int(np.sum([weight.shape[0] for weight in weights], dtype=np.int64))


def has_no_length_of_heads(x: Tensor, weight: Parameter) -> bool:
    """Whether there is one position, or no known number of up to 128, which TensorRT-RTX 1.6 takes for heads."""
    length = x.shape[-2] if x.ndim > 1 else 1
    return not isinstance(length, int) or length == 1 or length > MOST_HEADS


@form("product", "merged", applies=has_no_length_of_heads)
@form("row", "merged")
def merged(x: Tensor, weight: Parameter) -> Tensor:
    """Of one IMatrixMultiplyLayer."""
    return _part("merged", x, weight, max(x.ndim, 2), lambda weights: product(x, weights, "TRANSPOSE"))


@form("row", "merged_reduction")
def merged_reduction(x: Tensor, weight: Parameter) -> Tensor:
    """Of one sum of elementwise products."""
    return _part("reduction", x, weight, x.ndim + 1, lambda weights: summed(x, weights))


@form("row", "merged_padded")
def merged_padded(x: Tensor, weight: Parameter) -> Tensor:
    """Of one product with seven rows of zeros.

    On an H200 a decode step of Qwen2-0.5B takes 0.992 ms with it for gate, up and the head, 1.061 with sums.
    """
    y = _part("padded", x, weight, 2, lambda weights: product(with_rows(x, ROWS), weights, "TRANSPOSE"))
    return without_rows(y, x)


def _part(way: str, x: Tensor, weight: Parameter, rank: int, made_of: Callable[[Tensor], Tensor]) -> Tensor:
    """The part of one weight. way: of which weights are merged. made_of: the whole of them, a constant of this rank."""
    network, own = x.network, x.network.weight(weight)
    if own.key:
        network.folded.add(own.key)
    is_part = network.division.has(own)  # of which each rank has another one
    key, lead = (network.body, way, x.trt, rank, own.dtype.name, is_part), (1,) * (rank - 2)
    if key not in network.merged:
        (constant,) = network.add("constant", {"shape": lead + own.shape, "weights": _of([own])})
        if is_part:
            network.division.add(constant)
        network.merged[key] = _Merged(network.maker(constant), made_of(constant))
    group: _Merged = network.merged[key]
    start = group.features
    group.weights.append(own)
    if start:
        network.give(group.layer, {"weights": _of(group.weights)})
        group.layer.shape = (*lead, group.features, own.shape[1])
    return cut(group.result, {group.result.ndim - 1: Cut(start, own.shape[0])})


def _of(weights: list[Weight]) -> Weight:
    """All of them below each other."""
    held = list(weights)
    shape = (_rows(held), held[0].shape[1])
    return Weight(lambda: np.concatenate([weight.array for weight in held]), like=(shape, held[0].dtype))
