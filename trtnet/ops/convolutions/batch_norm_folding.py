"""A scale and a shift of each channel as part of the convolution before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trtnet.graph import OpenNetwork, Parameter, Tensor, Weight
from trtnet.graph.layers.kinds import is_fixed
from trtnet.graph.layers.read import read
from trtnet.graph.memory.pending import PendingLayer, Placeholders
from trtnet.graph.place import Place
from trtnet.ops.convolutions.rearrangement import Sides
from trtnet.ops.quantization.held_scales import HeldScales
from trtnet.ops.shapes.turned import turning
from trtnet.support.arrays import values
from trtnet.support.backend import trt
from trtnet.support.dtypes import DType

Array = np.ndarray[Any, Any]
Constant = Parameter | Array


@dataclass(frozen=True)
class Geometry:
    """Where the windows of a convolution are. image: what it was called with. padding: (before, after) of each axis."""

    image: Tensor
    stride: tuple[int, ...]
    padding: Sides
    dilation: tuple[int, ...]
    groups: int


@dataclass(frozen=True)
class Convolution:
    """What a batch norm, or a sum, must know of the convolution that it goes into.

    layer: the layer that has the weights; placeholders: those that it has until it gets its own, weights. place: where
    it was called. kernel: [out_channels, ...], or the scales of a quantized one. again: the same convolution with other
    weights, as another layer. moves: makes the layer's kernel of the convolution's.
    norm: the batch norm that is in it. geometry: None for one of one axis, and for padding by name. plus: its result
    and another tensor as one layer, None where they are a sum.
    """

    layer: trt.ILayer
    placeholders: Placeholders
    weights: Mapping[str, Weight]
    place: Place
    kernel: Any
    bias: Constant | None
    again: Callable[[Any, Constant | None], Tensor]
    moves: Callable[[Array], Array]
    norm: BatchNorm | None = None
    geometry: Geometry | None = None
    plus: Callable[[Tensor, Tensor], Tensor | None] = lambda x, y: None

    def repeated(self, network: OpenNetwork) -> trt.ITensor:
        """Another convolution, which belongs where this one does."""
        with network.at(self.place):
            return self.again(self.kernel, self.bias).trt

    def settle(self, network: OpenNetwork) -> None:
        """Gives the layer its weights."""
        network.give(self.layer, self.weights)
        if isinstance(self.kernel, HeldScales):
            self.kernel.settle(network)
        self.placeholders.release()

    def made_by(self, y: Tensor) -> Convolution:
        """What is known of a layer that takes its place and makes `y`: no batch norm, no sum."""
        return replace(self, layer=y.network.maker(y), norm=None, geometry=None)

    def leave(self, network: OpenNetwork) -> None:
        """Gives the layer zeros: nothing reads it, and TensorRT leaves it out."""
        network.give(self.layer, {name: Weight(np.zeros(w.shape, w.dtype.numpy)) for name, w in self.weights.items()})
        self.placeholders.release()


@dataclass(frozen=True)
class BatchNorm:
    """One scale and one shift a channel, float64. place: where it was called."""

    scale: Array
    shift: Array
    place: Place

    def fits(self, dtype: DType) -> bool:
        """Whether it can be a separate layer: its numbers are finite in a dtype."""
        return fits(self.scale, dtype) and fits(self.shift, dtype)

    def layer(self, x: Tensor) -> Tensor:
        """A separate layer: IScaleLayer."""
        found = turning(x)
        if found is not None:
            y = found.like(self._layer(found.source, found.order[1]))
            x.network.scaled[y.trt] = x.trt, self
            return y
        return self._layer(x, 1)

    def _layer(self, x: Tensor, channel_axis: int) -> Tensor:
        arguments = {"input": x, "mode": trt.ScaleMode.CHANNEL, "channel_axis": channel_axis}
        factors = {"scale": Weight(self.scale.astype(x.dtype.numpy)), "shift": Weight(self.shift.astype(x.dtype.numpy))}
        with x.network.at(self.place):
            (y,) = x.network.add("scale_nd", arguments | factors, name="batch_norm", dims=[x.shape])
        x.network.scaled[y.trt] = x.trt, self
        return y


def offered(y: Tensor, convolution: Convolution) -> Tensor:
    """The result of a convolution, which gets its weights when something reads it, or those of a batch norm."""
    network = y.network
    own = y.fresh()

    def apart(norm: PendingLayer) -> trt.ITensor:
        return _set_apart(own, convolution, norm) or convolution.repeated(network)

    return y.deferred(PendingLayer(y.trt, convolution, lambda: convolution.settle(network), apart))


def folded(x: Tensor, scale: Array, shift: Array) -> Tensor | None:
    """``x * scale + shift`` as the convolution that makes `x`, with a scale and a shift in its weights.

    x: [batch, channels, ...]. scale, shift: float64 [channels]. None where a separate scale is better: `x` comes from
    no convolution, something else reads the convolution's own result, or the weights would not be finite. Where only
    the numbers of such a scale are not, it is a convolution more.
    """
    pending = x.current
    if not isinstance(pending, PendingLayer) or not isinstance(pending.offer, Convolution):
        return None
    norm = BatchNorm(scale, shift, x.network.place)
    if not pending.is_free and norm.fits(x.dtype):
        return None
    convolution = pending.offer
    weights = _weights(x, convolution, scale, shift)
    if weights is None:
        return None
    kernel, bias = weights
    if not pending.is_free:
        with x.network.at(convolution.place):
            return convolution.again(kernel, bias)
    return taken(x, pending, convolution, kernel, bias, norm)


def taken(
    x: Tensor,
    pending: PendingLayer,
    convolution: Convolution,
    kernel: Array | HeldScales,
    bias: Array,
    norm: BatchNorm | None,
) -> Tensor:
    """The result of the layer that makes `x`, which gets another kernel and bias and is no longer that of `x`."""
    given = {"bias": Weight(bias)}
    if not isinstance(kernel, HeldScales):
        given["kernel"] = Weight(convolution.moves(kernel))
    result = x.fresh_handle(x.shape)
    result.value, result.strides = pending.itensor, x.strides
    offered(result, replace(convolution, weights=given, kernel=kernel, bias=bias, norm=norm))
    assert isinstance(result.value, PendingLayer)
    pending.take(result.value, x.network.path)
    return result


def _set_apart(own: Tensor, convolution: Convolution, norm: PendingLayer) -> trt.ITensor | None:
    """A convolution's own result, wanted after a batch norm took its layer: the layer is its own again.

    The batch norm is a scale behind it, and what reads the batch norm's result reads the scale's. own: the layer's
    result. None where that cannot be: it was a sum that took the layer, something reads it that TensorRT does not
    connect anew, or the scale's numbers would not be finite.
    """
    made = norm.offer.norm
    if made is None:
        return None
    network, itensor = own.network, own.trt
    readers = [(node, i) for node in read(network.trt) for i, x in enumerate(node.inputs) if x is itensor]
    fixed = itensor.is_network_output or any(is_fixed(node.kind) for node, _ in readers)
    if norm.taken is not None or fixed or not made.fits(own.dtype):
        return None
    none = np.zeros(made.shift.shape, own.dtype.numpy)  # TensorRT does not take a bias back
    replace(convolution, weights={"bias": Weight(none), **convolution.weights}).settle(network)
    scaled = made.layer(own).trt
    for node, index in readers:
        node.layer.set_input(index, scaled)
    norm.become(scaled)
    return itensor


def _weights(
    x: Tensor, convolution: Convolution, scale: Array, shift: Array
) -> tuple[Array | HeldScales, Array] | None:
    """A kernel and a bias, computed in float64 and rounded once to the dtype of `x`; None if they are not finite."""
    bias = shift if convolution.bias is None else array_of(x, convolution.bias).astype(np.float64) * scale + shift
    if isinstance(convolution.kernel, HeldScales):
        held = convolution.kernel.times(scale)
        return (held, bias.astype(x.dtype.numpy)) if held is not None and fits(bias, x.dtype) else None
    kernel = array_of(x, convolution.kernel)
    factors = scale.reshape(-1, *[1] * (kernel.ndim - 1))
    inner = tuple(range(1, kernel.ndim))
    extremes = [edge(axis=inner, keepdims=True) * factors for edge in (kernel.max, kernel.min)] if kernel.size else []
    if not all(fits(array, x.dtype) for array in (*extremes, bias)):
        return None
    scaled = np.empty(kernel.shape, x.dtype.numpy)
    np.multiply(kernel, factors, out=scaled, dtype=np.float64, casting="unsafe")
    return scaled, bias.astype(x.dtype.numpy)


def fits(array: Array, dtype: DType) -> bool:
    """Whether values are finite in a dtype."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype.numpy).astype(np.float32)).all())


def array_of(x: Tensor, constant: Constant) -> Array:
    """Constant values in a type of numpy's own."""
    array = x.network.array(constant) if isinstance(constant, Parameter) else values(constant)
    return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)
