"""Rules that compute: reparametrizations of training, folded into the weight that inference uses, and sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trtnet.checkpoint.base import Array, TensorSpec
from trtnet.checkpoint.casting import cast
from trtnet.checkpoint.rules.lazy_tensors import Lazy, Tensors
from trtnet.checkpoint.rules.pattern import Pattern, expand
from trtnet.checkpoint.rules.rule import KeyRule, each, need, put
from trtnet.support.arrays import StaticShape
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import counted


@dataclass(frozen=True)
class FoldWeightNorm(KeyRule):
    """``weight_g`` and ``weight_v`` become ``weight``, ``g v / ||v||`` (Salimans and Kingma, 2016).

    source: matches the path of the layers. The norms are taken over the axes on which g has size 1: for torch's dim=0
    all but the first, for dim=None all.
    """

    def sought(self, tensors: Tensors) -> str | None:
        return _unless_there(tensors, self.source, "weight_g")

    def apply(self, tensors: Tensors) -> Tensors:
        result = dict(tensors)
        for path, keys in _layers(tensors, self.source, ("weight_g", "weight_v")):
            magnitude, direction = (tensors[key].spec.shape for key in keys)
            axes = _normed(magnitude, direction)
            if axes is None:
                raise CheckpointError(
                    f"{keys[0]} {list(magnitude)} is not a norm of {keys[1]} {list(direction)}: it has the size of one"
                    f" axis, and 1 on the others"
                )

            def weight(g: Array, v: Array, axes: StaticShape = axes) -> Array:
                return g * v / np.sqrt((v**2).sum(axes, keepdims=True))

            _fold(result, keys, f"{path}weight", weight, tensors[keys[1]].spec)
        return result


@dataclass(frozen=True)
class FoldSpectralNorm(KeyRule):
    """``weight_orig``, ``weight_u`` and ``weight_v`` become ``weight``, ``W / (u W v)``: the weight over its largest
    singular value as training left it (Miyato et al., 2018).

    source: matches the path of the layers. dim: the axis of W that u goes along, in torch 0, and 1 for transposed
    convolutions; None: which of the two the lengths of u and v tell.
    """

    dim: int | None = None

    def sought(self, tensors: Tensors) -> str | None:
        return _unless_there(tensors, self.source, "weight_orig")

    def apply(self, tensors: Tensors) -> Tensors:
        result = dict(tensors)
        for path, keys in _layers(tensors, self.source, ("weight_orig", "weight_u", "weight_v")):
            dim = self._dim(keys[0], *(tensors[key].spec.shape for key in keys))

            def weight(w: Array, u: Array, v: Array, dim: int = dim) -> Array:
                return w / (u @ np.moveaxis(w, dim, 0).reshape(len(u), -1) @ v)

            _fold(result, keys, f"{path}weight", weight, tensors[keys[0]].spec)
        return result

    def _dim(self, key: str, weight: StaticShape, left: StaticShape, right: StaticShape) -> int:
        tried = (0, 1) if self.dim is None else (self.dim,)
        fitting = [dim for dim in tried if _singular(dim, weight) == (left, right)]
        found = f"{key} {list(weight)} with u {list(left)} and v {list(right)}"
        if not fitting:
            raise CheckpointError(f"{found}: u and v do not fit dim {' or '.join(map(str, tried))}")
        if len(fitting) > 1:
            raise CheckpointError(f"{found} fits dim 0 and dim 1: say dim = 0, or dim = 1 for transposed convolutions")
        return fitting[0]


@dataclass(frozen=True)
class FoldBatchNorm(KeyRule):
    """A batch norm's four tensors go into the convolution before it, which gets a bias.

    source: matches the convolution's weight; norm: the template of the batch norm's path. transposed: the weight is a
    transposed convolution's, [in, out / groups, ...], which its shape alone may not tell.
    """

    norm: str
    eps: float = 1e-5
    transposed: bool = False

    def apply(self, tensors: Tensors) -> Tensors:
        result = dict(tensors)
        folded: dict[str, str] = {}
        for key, lazy, match in each(tensors, self.source):
            if match is None:
                continue
            path, norm = key.removesuffix("weight"), expand(match, self.norm)
            if path == key or (path and not path.endswith(".")):
                raise CheckpointError(f"conv matches {key}, which is not a weight: end the pattern with weight$")
            if folded.setdefault(norm, key) != key:
                raise CheckpointError(f"{norm} is to be folded into {folded[norm]} and into {key}")
            names = [f"{norm}.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
            need(tensors, names, f"a rule folds it into {key}")
            vectors = [*names, *([f"{path}bias"] if f"{path}bias" in tensors else [])]
            channels = self._channels(key, lazy.spec.shape, {name: tensors[name].spec.shape for name in vectors})
            result.pop(f"{norm}.num_batches_tracked", None)
            spec = TensorSpec((channels,), lazy.spec.dtype)
            result[key] = _computed(key, self._scaled, [lazy, tensors[names[0]], tensors[names[3]]], lazy.spec)
            _fold(result, vectors, f"{path}bias", self._shifted, spec)
        return result

    def _channels(self, key: str, weight: StaticShape, vectors: dict[str, StaticShape]) -> int:
        """The channels of the output. Raises CheckpointError for a tensor with another number of them."""
        name, shape = next(iter(vectors.items()))
        axis = int(self.transposed)
        fits = len(weight) >= 2 and len(shape) == 1 and weight[axis] and shape[0] % weight[axis] == 0
        groups = shape[0] // weight[axis] if fits else 0
        if not fits or (groups != 1 and not self.transposed) or groups == 0 or weight[0] % groups:
            hint = "" if self.transposed else " (transposed = true is for transposed convolutions)"
            raise CheckpointError(f"{name} {list(shape)} is not a norm of what {key} {list(weight)} makes{hint}")
        for other, its in vectors.items():
            if its != shape:
                raise CheckpointError(f"{other} {list(its)} does not have the {counted(shape[0], 'channel')} of {name}")
        return shape[0]

    def _scaled(self, weight: Array, gain: Array, variance: Array) -> Array:
        scale = gain / np.sqrt(variance + self.eps)
        if not self.transposed:
            return weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
        groups = scale.size // weight.shape[1]
        apart = weight.reshape(groups, -1, *weight.shape[1:])
        return (apart * scale.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))).reshape(weight.shape)

    def _shifted(self, gain: Array, shift: Array, mean: Array, variance: Array, bias: Array | float = 0.0) -> Array:
        return shift + (bias - mean) * gain / np.sqrt(variance + self.eps)


@dataclass(frozen=True)
class Add(KeyRule):
    """A number is added to every value, and the sum rounded to the dtype of the tensor."""

    value: float

    def apply(self, tensors: Tensors) -> Tensors:
        return {key: lazy if match is None else self._of(key, lazy) for key, lazy, match in each(tensors, self.source)}

    def _of(self, key: str, lazy: Lazy) -> Lazy:
        if not lazy.spec.dtype.is_floating:
            raise CheckpointError(f"{key} has {lazy.spec.dtype}: add is for floats")
        return _computed(key, self._sum, [lazy], lazy.spec)

    def _sum(self, values: Array) -> Array:
        return values + self.value


def _layers(tensors: Tensors, source: Pattern, names: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """(the path with its dot, the keys of these names) of every layer that has the first and whose path matches."""
    layers = []
    for path in _paths(tensors, source, names[0]):
        keys = [f"{path}{name}" for name in names]
        need(tensors, keys, f"a rule folds it with {path}{names[0]}")
        layers.append((path, keys))
    return layers


def _paths(tensors: Tensors, source: Pattern, name: str) -> list[str]:
    """The paths, with their dot, of the layers that have a tensor of this name and match."""
    paths = [key.removesuffix(name) for key in tensors if key == name or key.endswith(f".{name}")]
    return [path for path in paths if source.search(path.removesuffix("."))]


def _unless_there(tensors: Tensors, source: Pattern, name: str) -> str | None:
    return None if _paths(tensors, source, name) else f"{name!r} of a layer at '{source.text}'"


def _fold(tensors: Tensors, keys: list[str], key: str, function: Callable[..., Array], spec: TensorSpec) -> None:
    """Takes the tensors of some keys away and puts what a function makes of them there."""
    put(tensors, key, _computed(key, function, [tensors.pop(k) for k in keys], spec), "folding")


def _computed(key: str, function: Callable[..., Array], parts: list[Lazy], spec: TensorSpec) -> Lazy:
    """In float64, and rounded once."""
    return Lazy(
        spec, lambda: cast(function(*(part.read().astype(np.float64) for part in parts)), spec.dtype, key), of=parts
    )


def _normed(magnitude: StaticShape, direction: StaticShape) -> StaticShape | None:
    """The axes that were summed over; None where these are no magnitude and direction."""
    if magnitude == ():
        return tuple(range(len(direction)))
    kept = [axis for axis, size in enumerate(magnitude) if size != 1]
    fits = len(magnitude) == len(direction) and all(magnitude[axis] == direction[axis] for axis in kept)
    return tuple(axis for axis in range(len(direction)) if axis not in kept) if fits and len(kept) < 2 else None


def _singular(dim: int, weight: StaticShape) -> tuple[StaticShape, StaticShape] | None:
    """The shapes of the singular vectors of a weight as a matrix [size along dim, the others]."""
    if not -len(weight) <= dim < len(weight):
        return None
    return (weight[dim],), (math.prod(size for axis, size in enumerate(weight) if axis != dim % len(weight)),)
