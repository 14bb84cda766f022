"""The choice of next tokens in the network, in the order of transformers: penalty, temperature, top k, top p, min p.

What is chosen has exactly the distribution of the numbers that are asked for, to the rounding of float32: nothing is
cut off at a number of candidates. Tokens whose log probabilities differ by less than 2e-6 are kept or left out
together.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.create import arange
from trtnet.ops.elementwise.comparison import where
from trtnet.ops.filled import full_like
from trtnet.ops.indexing.gather import gather
from trtnet.ops.indexing.scatter import scatter
from trtnet.ops.shapes.pad import pad

CHUNK = 256
"""Tokens whose probabilities are summed together: sums of sums keep their precision, and many run at a time."""
LOWEST, WAYS, ROUNDS = -32.0, 16, 6
"""Levels lie between the largest probability and e^-32 of it; six rounds of sixteen ways are steps of 2e-6."""


def sample(
    logits: Tensor, uniform: Tensor, *, temperature: Tensor, top_k: Tensor, top_p: Tensor, min_p: Tensor
) -> Tensor:
    """The tokens that random numbers fall on; the first of the most likely ones where the temperature is 0.

    logits: [batch, count, vocabulary] float32. uniform: [batch, count, 2] float32, in [0, 1): one for a chunk of the
    vocabulary, one for a token of it. temperature, top_k, top_p, min_p: [batch] float32, as those of
    :class:`trtnet.GenerationConfig`. Returns [batch, count] int64.
    Layer: ICumulativeLayer and IReduceLayer; the smallest probability that is kept is found by comparing all with some
    levels at a time.
    """
    temperature, top_k, top_p, min_p = (each.reshape(-1, 1, 1, 1) for each in (temperature, top_k, top_p, min_p))
    greedy = temperature == 0
    logits = _chunks(logits)
    scores = (logits - logits.amax((2, 3), keepdim=True)) / where(greedy, 1.0, temperature)
    found = scores.exp()
    most = where(top_k > 0, top_k, float("inf"))
    found = where(found > _level(found, most, counted=True), found, 0.0)
    total = found.sum((2, 3), keepdim=True)
    share = where(top_p < 1, top_p * total, float("inf"))
    found = where(found > _level(found, share, counted=False), found, 0.0)
    least = where(greedy, 1.0, min_p).log()
    found = where(scores >= least, found, 0.0)
    at = where(greedy.squeeze(-1), 0.0, uniform)
    chunk = _place(found.sum(-1), at[..., 0])
    within = found.take_along_dim(chunk[..., None, None], 2).squeeze(2)
    return chunk * found.shape[-1] + _place(within, at[..., 1])


def penalized(logits: Tensor, before: Tensor, penalty: Tensor) -> Tensor:
    """Logits of tokens that came before, divided by the penalty, or multiplied if negative.

    logits: [batch, count, vocabulary] float32. before: [batch, count, any] int64, the tokens, also twice. penalty:
    [batch] float32. Returns the shape of the logits.
    Layer: IGatherLayer, IScatterLayer.
    Source: Keskar et al., 2019, arXiv:1909.05858.
    """
    found, by = gather(logits, 2, before), penalty.reshape(-1, 1, 1)
    return scatter(logits, 2, before, where(found < 0, found * by, found / by))


def _chunks(logits: Tensor) -> Tensor:
    """[batch, count, chunks, tokens], filled up with what is never chosen."""
    size = logits.shape[-1]
    width = min(CHUNK, size)
    filled = pad(logits, (0, -size % width), value=float("-inf")) if size % width else logits
    return filled.reshape(*logits.shape[:2], -1, width)


def _level(found: Tensor, wanted: Tensor, counted: bool) -> Tensor:
    """The highest level above which as much lies as is wanted; 0 if all is not as much.

    found: [batch, count, chunks, tokens], probabilities relative to the largest. wanted: [batch, count or 1, 1, 1], how
    much of them, or how many if counted. Returns [batch, count, 1, 1].
    """
    apart, wanted = found.unsqueeze(3), wanted.unsqueeze(3)
    low, step = full_like(wanted, LOWEST), -LOWEST
    for _ in range(ROUNDS):
        step /= WAYS
        steps = np.arange(WAYS, dtype=np.float32).reshape(1, 1, 1, WAYS, 1) * step
        levels = low + steps
        above = where(apart > levels.exp(), 1.0 if counted else apart, 0.0)
        parts = above.sum(-1, keepdim=True).sum(2, keepdim=True)
        low = where(parts >= wanted, levels, low).amax(3, keepdim=True)
    return where(low > LOWEST, low.exp(), 0.0).squeeze(3)


def _place(weights: Tensor, uniform: Tensor) -> Tensor:
    """Where a random number falls among weights, one of which is above 0. [batch, count, any], [batch, count]."""
    total, size = weights.cumsum(-1), weights.shape[-1]
    real = weights > 0
    at = uniform.unsqueeze(-1) * where(real, total, 0.0).amax(-1, keepdim=True)
    return where(real & (total > at), arange(size), size - 1).amin(-1)
