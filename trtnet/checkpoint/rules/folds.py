"""Rules that compute: reparametrizations of training, folded into the weight that inference uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trtnet.checkpoint.base import Array, TensorSpec
from trtnet.checkpoint.rules.kinds import Rule, need
from trtnet.checkpoint.rules.lazy import Lazy, Tensors
from trtnet.checkpoint.rules.pattern import Pattern, expand


def weight_norm(magnitude: Array, direction: Array) -> Array:
    """``g v / ||v||``, a norm for each slice of the first axis (Salimans and Kingma, 2016); torch's default dim 0."""
    lengths = np.sqrt((direction**2).sum(tuple(range(1, direction.ndim)), keepdims=True))
    return magnitude * direction / lengths


def spectral_norm(weight: Array, left: Array, right: Array) -> Array:
    """``W / (u W v)``, the weight over its largest singular value as training left it (Miyato et al., 2018)."""
    return weight / (left @ weight.reshape(weight.shape[0], -1) @ right)


FOLDS: dict[str, tuple[Callable[..., Array], tuple[str, ...], int]] = {
    "weight_norm": (weight_norm, ("weight_g", "weight_v"), 1),
    "spectral_norm": (spectral_norm, ("weight_orig", "weight_u", "weight_v"), 0),
}
"""A fold's function, what its tensors are called after the key of the weight, and which has the weight's shape."""


@dataclass(frozen=True)
class Fold(Rule):
    """``<path>.weight_g`` and its like become ``<path>.weight``, computed in float64 and rounded once.

    source: matches the path of the layers. kind: of :data:`FOLDS`.
    """

    source: Pattern
    kind: str

    def apply(self, tensors: Tensors) -> Tensors:
        function, names, like = FOLDS[self.kind]
        result = dict(tensors)
        for key in tensors:
            path, _, last = key.rpartition(".")
            if last != names[0] or not self.source.regex.search(path):
                continue
            keys = [f"{path}.{name}" for name in names]
            need(tensors, keys, f"{self.kind} folds it with {key}")
            parts = [result.pop(k) for k in keys]
            result[f"{path}.weight"] = _computed(function, parts, parts[like].spec)
        return result


@dataclass(frozen=True)
class FoldBatchNorm(Rule):
    """A batch norm's four tensors go into the convolution before it, which gets a bias.

    source: matches the convolution's weight; norm: the template of the batch norm's path.
    """

    source: Pattern
    norm: str
    eps: float = 1e-5

    def apply(self, tensors: Tensors) -> Tensors:
        result = dict(tensors)
        for key in tensors:
            match = self.source.regex.search(key)
            if match is None:
                continue
            path, norm = key.removesuffix(".weight"), expand(match, self.norm)
            names = [f"{norm}.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
            need(tensors, names, f"a rule folds it into {key}")
            weight, parts = tensors[key], [result.pop(name) for name in names]
            result.pop(f"{norm}.num_batches_tracked", None)
            bias = result.pop(f"{path}.bias", None)
            spec = TensorSpec(weight.spec.shape[:1], weight.spec.dtype)
            result[key] = _computed(self._scaled, [weight, parts[0], parts[3]], weight.spec)
            shift = [*parts, bias] if bias is not None else parts
            result[f"{path}.bias"] = _computed(self._shifted, shift, spec)
        return result

    def _scaled(self, weight: Array, gain: Array, variance: Array) -> Array:
        return weight * (gain / np.sqrt(variance + self.eps)).reshape(-1, *(1,) * (weight.ndim - 1))

    def _shifted(self, gain: Array, shift: Array, mean: Array, variance: Array, bias: Array | float = 0.0) -> Array:
        return shift + (bias - mean) * gain / np.sqrt(variance + self.eps)


def _computed(function: Callable[..., Array], parts: list[Lazy], spec: TensorSpec) -> Lazy:
    def read() -> Array:
        return np.asarray(function(*(part.read().astype(np.float64) for part in parts))).astype(spec.dtype.numpy)

    return Lazy(spec, read)
