"""A scale and a shift of each channel as part of the convolution before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtnet.graph import Network, Parameter, Tensor, Weight
from trtnet.graph.network import Place
from trtnet.graph.tensors.pending import Pending, Placeholders
from trtnet.support.arrays import values
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType

Array = np.ndarray[Any, Any]
Constant = Parameter | Array


@dataclass(frozen=True)
class Convolution:
    """What a batch norm must know of the convolution that it goes into.

    layer: the layer that has the weights. place: where it was called. kernel: [out_channels, ...] and bias, constants,
    which the layer has none of yet. again: the same convolution with other weights, as another layer.
    placeholders: what the layer has until it gets weights.
    """

    layer: trt.ILayer
    place: Place
    kernel: Constant
    bias: Constant | None
    again: Callable[[Constant, Constant | None], Tensor]
    placeholders: Placeholders

    def repeated(self, network: Network, kernel: Constant, bias: Constant | None) -> Tensor:
        """Another convolution, which belongs where this one does."""
        with network.at(self.place):
            return self.again(kernel, bias)


def offered(y: Tensor, convolution: Convolution, weights: dict[str, Weight]) -> Tensor:
    """The result of a convolution, which gets its weights when something reads it, or those of a batch norm."""
    network = y.network
    pending = Pending(
        y.trt,
        convolution,
        decide=lambda: network.give(convolution.layer, weights),
        again=lambda: convolution.repeated(network, convolution.kernel, convolution.bias).trt,
    )
    return y.deferred(pending)


def folded(x: Tensor, scale: Array, shift: Array) -> Tensor | None:
    """``x * scale + shift`` as the convolution that makes `x`, with a scale and a shift in its weights.

    x: [batch, channels, ...]. scale, shift: float64 [channels]. None where a scale of its own is better: `x` comes from
    no convolution, something else reads the convolution's own result, or the weights would not be finite.
    Where another batch norm went into the convolution already, or the factors do not fit into the dtype of `x` by
    themselves, it is a convolution more.
    """
    pending = x.current
    if not isinstance(pending, Pending) or not isinstance(pending.offer, Convolution):
        return None
    if pending.decided and _fits(scale, x.dtype) and _fits(shift, x.dtype):
        return None
    convolution = pending.offer
    weights = _weights(x, convolution, scale, shift)
    if weights is None:
        return None
    kernel, bias = weights
    if not pending.is_free:
        return convolution.repeated(x.network, kernel, bias)
    pending.take(x.network.path)
    result = x.fresh_handle(x.shape)
    result.value, result.strides = pending.itensor, x.strides
    now = Convolution(convolution.layer, convolution.place, kernel, bias, convolution.again, convolution.placeholders)
    return offered(result, now, {"kernel": Weight(kernel), "bias": Weight(bias)})


def _weights(x: Tensor, convolution: Convolution, scale: Array, shift: Array) -> tuple[Array, Array] | None:
    """A kernel and a bias, computed in float64 and rounded once to the dtype of `x`; None if they are not finite."""
    kernel = _array(x, convolution.kernel)
    factors = scale.reshape(-1, *[1] * (kernel.ndim - 1))
    bias = shift if convolution.bias is None else _array(x, convolution.bias).astype(np.float64) * scale + shift
    inner = tuple(range(1, kernel.ndim))
    extremes = [edge(axis=inner, keepdims=True) * factors for edge in (kernel.max, kernel.min)] if kernel.size else []
    if not all(_fits(array, x.dtype) for array in (*extremes, bias)):
        return None
    scaled = np.empty(kernel.shape, x.dtype.numpy)
    np.multiply(kernel, factors, out=scaled, dtype=np.float64, casting="unsafe")
    return scaled, bias.astype(x.dtype.numpy)


def _fits(array: Array, dtype: DType) -> bool:
    """Whether values are finite in a dtype."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype.numpy).astype(np.float32)).all())


def _array(x: Tensor, constant: Constant) -> Array:
    """Constant values in a type of numpy's own."""
    array = x.network.array(constant) if isinstance(constant, Parameter) else values(constant)
    return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)
