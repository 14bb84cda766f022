"""Queries, keys and values of one product with one permutation of all their heads."""

from __future__ import annotations

from trtnet.graph import Size, Tensor
from trtnet.ops.formulations import form
from trtnet.ops.transformers.heads import Heads


def has_other_positions(query: Tensor, key: Tensor, value: Tensor, *_: object) -> bool:
    """Whether they are of another number of positions than of heads, each or together.

    TensorRT-RTX 1.6 takes such positions for heads: see ``trtnet.ops.products.heads``.
    """
    counts = [x.shape[1] for x in (query, key, value)]
    return query.shape[2] not in (*counts, _total(counts))


def _total(counts: list[Size]) -> int:
    return sum(n for n in counts if isinstance(n, int))


@form("heads", "together", applies=has_other_positions)
def together(query: Tensor, key: Tensor, value: Tensor, product: Tensor, is_batch_first: bool) -> Heads:
    """Parts of [batch, all heads, length, dim], which TensorRT moves in one kernel instead of three.

    On an H200 DeiT-Tiny takes 0.787 ms with it at batch 32, 0.829 apart; at batch 1 0.302 and 0.330.
    """
    queries, keys, values, dim = query.shape[1], key.shape[1], value.shape[1], query.shape[3]
    whole = product.reshape(*product.shape[:2], queries + keys + values, dim)
    heads = whole.permute(0, 2, 1, 3) if is_batch_first else whole.permute(1, 2, 0, 3)
    return heads[:, :queries], heads[:, queries : queries + keys], heads[:, queries + keys :]
