"""Queries, keys and values that are parts of one product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, known
from trtnet.ops.products.parts import is_same, sequence_of, sizes, viewed

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
    memory = np.empty(shape, np.int8)
    views = [viewed(memory, base, steps) for _, steps in traced]
    rows = {(x.shape[0], x.shape[2]) for x in (query, key, value)}
    batch, length, _ = base.shape
    if rows == {(batch, length)} and _are_all(views, memory, (0, 2, 1, 3)):
        return base, True
    if rows == {(length, batch)} and _are_all(views, memory, (1, 2, 0, 3)):
        return base, False
    return None  # of some positions or samples alone, or in another order


def _are_all(views: Sequence[np.ndarray | None], memory: np.ndarray, order: tuple[int, ...]) -> bool:
    """Whether views are all heads of [rows, rows, all heads * dim], one after another, with the axes in an order."""
    heads = [view.shape[1] for view in views if view is not None]
    if len(heads) < len(views) or memory.shape[2] % sum(heads):
        return False
    dim = memory.shape[2] // sum(heads)
    whole = memory.reshape(*memory.shape[:2], sum(heads), dim).transpose(order)
    parts = np.split(whole, np.cumsum(heads)[:-1], axis=1)
    return all(view is not None and is_same(view, part) for view, part in zip(views, parts, strict=True))
