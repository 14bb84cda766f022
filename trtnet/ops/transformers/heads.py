"""Queries, keys and values that are parts of one product."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, known
from trtnet.ops.products.parts import sequence_of, sizes, viewed

Heads = tuple[Tensor, Tensor, Tensor]
"""Queries, keys and values, each [batch, heads, length, dim]."""


def head_facts(query: Tensor, *_: object) -> dict[str, int]:
    """The batch, and how many positions."""
    return batch_facts(query) | {"length": known(query.shape[2])}


def arranged(query: Tensor, key: Tensor, value: Tensor) -> Heads:
    """The same; where they are parts of one product, by the layers of the form that is chosen."""
    found = _of_one_product(query, key, value)
    return (query, key, value) if found is None else _permuted(query, key, value, *found)


@formulated("heads", "apart", facts=head_facts)
def _permuted(query: Tensor, key: Tensor, value: Tensor, product: Tensor, is_batch_first: bool) -> Heads:
    """Each with the permutation that the model has. product, is_batch_first: what they are parts of."""
    return query, key, value


def _of_one_product(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, bool] | None:
    """The product [batch, length, all heads * dim], or [length, batch, ...], of which they are all, one after another.

    Returns (the product, whether its batch is first); None for anything else.
    """
    made = [sequence_of(x) for x in (query, key, value) if x.ndim == 4]
    traced = [each for each in made if each is not None]
    if len(traced) < 3 or len({base.trt for base, _ in traced}) != 1:
        return None
    base = traced[0][0]
    shape = sizes(base, base.shape)
    if shape is None:
        return None
    rows = {(x.shape[0], x.shape[2]) for x in (query, key, value)}
    memory = np.empty(shape, np.int8)
    found, start = set(), 0
    for _, steps in traced:
        view = viewed(memory, base, steps)
        if view is None or not np.may_share_memory(view, memory):
            return None
        found.add((view.shape[3], view.strides))
        if _offset(view, memory) != start:
            return None
        start += view.shape[1] * view.shape[3]
    if len(found) != 1 or start != shape[2]:
        return None
    (dim, strides), (first, second, _), (batch, length, _) = found.pop(), memory.strides, base.shape
    if (rows, strides) == ({(batch, length)}, (first, dim, second, 1)):
        return base, True
    if (rows, strides) == ({(length, batch)}, (second, dim, first, 1)):
        return base, False
    return None  # of some positions or samples alone, or in another order


def _offset(view: np.ndarray, memory: np.ndarray) -> int:
    """Where in an array of bytes its view begins."""
    start, own = (array.__array_interface__["data"][0] for array in (memory, view))
    return int(own - start)
