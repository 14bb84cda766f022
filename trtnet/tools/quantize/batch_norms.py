"""Batch norms in the weights of the convolutions before them, so that what is quantized is what is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np

from trtnet.checkpoint.base import Array, Checkpoint
from trtnet.graph.quantized import NormUse, Watched


def norm_of(watched: Watched, key: str) -> NormUse | None:
    """The batch norm behind the convolution with a weight, None where there is none, or more than that."""
    norms = watched.norms.get(key, [])
    shared = Counter(norm.mean for found in watched.norms.values() for norm in found)
    alone = len(norms) == len(watched.uses.get(key, [])) == 1 and norms[0].holds() and shared[norms[0].mean] == 1
    return norms[0] if alone else None


def folded(checkpoint: Checkpoint, watched: Watched, keys: Collection[str]) -> dict[str, Array]:
    """The tensors that change where the batch norms behind the convolutions with these weights go into the weights.

    What is left of a norm is its shift: ``mean = -shift``, ``var = 1 - eps``, weight 1 and bias 0, so that model files
    keep their modules, and a network adds the shift as the bias of the convolution. Computed in float64, float32.
    """
    changed: dict[str, Array] = {}
    for key in keys:
        norm, bias = norm_of(watched, key), watched.uses[key][0].bias
        if norm is not None and bias is not None and not (bias and _uses_of(watched, bias) > 1):
            changed |= _folded(checkpoint, key, norm, bias)
    return changed


def _uses_of(watched: Watched, bias: str) -> int:
    return sum(use.bias == bias for uses in watched.uses.values() for use in uses)


def _folded(checkpoint: Checkpoint, key: str, norm: NormUse, bias: str) -> dict[str, Array]:
    def wide(name: str, default: float) -> Array:
        return checkpoint[name].astype(np.float64) if name else np.array(default)

    kernel = checkpoint[key].astype(np.float64)
    mean = wide(norm.mean, 0)
    scale = wide(norm.weight, 1) / np.sqrt(wide(norm.variance, 1) + norm.eps)
    shift = wide(norm.bias, 0) + (wide(bias, 0) - mean) * scale
    found = {key: kernel * scale.reshape(-1, *(1,) * (kernel.ndim - 1)), norm.mean: -shift}
    found |= {norm.variance: np.full(mean.shape, 1 - norm.eps)}
    found |= {name: np.full(mean.shape, value) for name, value in ((norm.weight, 1.0), (norm.bias, 0.0)) if name}
    found |= {bias: np.zeros(mean.shape)} if bias else {}
    return {name: value.astype(np.float32) for name, value in found.items()}


def shift_of(watched: Watched, key: str) -> tuple[str, float] | None:
    """(the key of what is added to the results of a weight's product, its sign), None where there is nothing.

    A batch norm subtracts its mean, so that is what a convolution without a bias has.
    """
    uses = watched.uses[key]
    if len(uses) != 1 or uses[0].bias is None:
        return None
    if uses[0].bias:
        return (uses[0].bias, 1.0) if _uses_of(watched, uses[0].bias) == 1 else None
    norm = norm_of(watched, key)
    return None if norm is None else (norm.mean, -1.0)


def corrected(
    arrays: Mapping[str, Array], checkpoint: Checkpoint, shift: tuple[str, float], error: Array
) -> dict[str, Array]:
    """What is added to a product, less its mean error, as its key and its new value. arrays: those that changed."""
    name, sign = shift
    before = arrays[name] if name in arrays else checkpoint[name]
    return {name: (before.astype(np.float64) - sign * error).astype(np.float32)}
