"""Operands of sums, concatenations and norms after convolutions: quantized, or noted for calibration.

TensorRT adds to the sums of a convolution of 8 bits what is in 8 bits as well, and joins without a copy what has one
scale. An operation has a name by its module and its number there, so that a checkpoint can have the scale of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.layers.feature_maps import FeatureMap
from trtnet.graph.memory.pending import PendingLayer
from trtnet.graph.quantized import CONCATENATION, NORM, SUM, ActivationUse
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.quantization.layers import fake_quantize, rounded_scale


def convolved(y: Tensor, x: Tensor, weight: Operand) -> Tensor:
    """Notes that a tensor is the result of a convolution of `x` with a weight of the checkpoint; gives it back."""
    if isinstance(weight, Parameter):
        y.network.feature_maps.mark(_made(y), x.storage.serial, y.network.key(weight))
    return y


def summands(x: Operand, y: Operand) -> tuple[Operand, Operand]:
    """Both operands of a sum, quantized where that is asked for: what the convolution does not make, which is fused.

    A convolution that something else reads is not fused. Of two that is the one whose image was made last, at the end
    of the longer way.
    """
    if not (isinstance(x, Tensor) and isinstance(y, Tensor) and _asked(x) and _alike(x, y)):
        return x, y
    maps = [_feature_map(each) for each in (x, y)]
    own = [
        each if each is not None and each.direct and not _is_read(z) else None
        for each, z in zip(maps, (x, y), strict=True)
    ]
    fused = max((each for each in own if each is not None), key=lambda each: each.since, default=None)
    if fused is None:
        return x, y
    index = max(i for i, each in enumerate(own) if each == fused)
    other = maps[1 - index]
    if other is not None and other.key == fused.key and other.since == fused.since:
        return x, y  # what is computed from the convolution is no other branch
    branch = (x, y)[1 - index]
    name = x.network.quantized.activation_name(x.network.path, "add")
    _watch(branch, name, ActivationUse(SUM, (branch.fresh(),), (fused.key,)))
    branch = _in_8_bits(branch, name, SUM)
    return (branch, y) if index else (x, branch)


def parts_of(parts: Sequence[Tensor]) -> tuple[str, Sequence[Tensor]]:
    """(the name of a concatenation, its parts, quantized with one scale where that is asked for); "" for another."""
    x = parts[0]
    maps = [_feature_map(each) for each in parts] if _asked(x) and len(parts) > 1 and x.ndim > 2 else []
    if not any(maps) or not x.dtype.is_floating:
        return "", parts
    name = x.network.quantized.activation_name(x.network.path, "cat")
    return name, [_in_8_bits(each, name, CONCATENATION) for each in parts]


def watch_joined(name: str, parts: Sequence[Tensor], y: Tensor) -> Tensor:
    """Notes a concatenation with its result, where that is to be known; gives it back."""
    if name:
        keys = tuple(each.key for each in map(_feature_map, parts) if each is not None)
        _watch(y, name, ActivationUse(CONCATENATION, tuple(each.fresh() for each in parts), keys, y.fresh()))
    return y


def normalized(x: Tensor, weight: Operand | None) -> Tensor:
    """The input of a layer norm, quantized where that is asked for and a convolution makes it.

    The name is the path of the module that has the weight of the norm; of a norm without one it is counted.
    """
    found = _feature_map(x) if _asked(x) else None
    if found is None or not found.direct:
        return x
    network, path = x.network, x.network.path
    own = isinstance(weight, Parameter) and path and network.key(weight) == f"{path}.weight"
    name = path if own else network.quantized.activation_name(path, "layer_norm")
    _watch(x, name, ActivationUse(NORM, (x.fresh(),), (found.key,)))
    return _in_8_bits(x, name, NORM)


def _asked(x: Tensor) -> bool:
    """Whether activations of the network are quantized, or to be known."""
    found = x.network.quantized
    return found.activation_of is not None or found.watched is not None


def _alike(x: Tensor, y: Tensor) -> bool:
    """Whether two tensors are floats of one dtype, of an image's rank, of which none is broadcast."""
    ones = all((m == 1) == (n == 1) for m, n in zip(x.shape, y.shape, strict=False) if isinstance(m, int | type(n)))
    return x.dtype == y.dtype and x.dtype.is_floating and x.ndim == y.ndim > 2 and ones


def _made(x: Tensor) -> Any:
    """TensorRT's tensor, whose layer stays as undecided as it is."""
    found = x.current
    return found.itensor if isinstance(found, PendingLayer) else found


def _feature_map(x: Tensor) -> FeatureMap | None:
    return x.network.feature_maps.of(_made(x))


def _is_read(x: Tensor) -> bool:
    return x.network.feature_maps.is_read(_made(x))


def _watch(x: Tensor, name: str, use: ActivationUse) -> None:
    watched = x.network.quantized.watched
    if watched is not None:
        watched.activations.setdefault(name, []).append(use)


def _in_8_bits(x: Tensor, name: str, kind: str) -> Tensor:
    """The tensor quantized and dequantized, once with each scale; as it is where that is not asked for."""
    found = x.network.quantized.activation(name, kind)
    if found is None:
        return x
    key = (x.trt, found.scale, found.dtype, x.network.body)
    shared = x.network.quantized.shared
    if key not in shared:
        scale = rounded_scale(np.array(found.scale, np.float32), x.dtype)
        shared[key] = fake_quantize(x, scale, dtype=found.dtype)
    return shared[key].fresh()
