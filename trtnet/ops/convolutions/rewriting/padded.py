"""Images with further channels behind their own or between them, and the layers that compute such an image of another.

What is in further channels is finite, and convolutions have zeros for them, so no result depends on it. Convolutions
make zeros there; what other layers make of zeros is known. Layers that could make more of the values in them than
their own channels hold are not computed with them: ``exp`` of another channel may be infinite, and 0 times that is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from trtnet.graph import Network, Size, Tensor
from trtnet.graph.layers.read import OPERATIONS, Node
from trtnet.ops.convolutions.rearrangement import multiple
from trtnet.ops.shapes.joining import cat
from trtnet.ops.shapes.slicing import Cut, cut
from trtnet.support.backend import trt

Places = np.ndarray[Any, Any]
SUMS_AND_PRODUCTS = frozenset(OPERATIONS) - {"FLOOR_DIV"}
OF_ZERO = {
    "RELU": 0.0, "TANH": 0.0, "LEAKY_RELU": 0.0, "ELU": 0.0, "SELU": 0.0, "SOFTSIGN": 0.0, "GELU_ERF": 0.0,
    "GELU_TANH": 0.0, "SIGMOID": 0.5,
}  # fmt: skip
"""Values of activations at 0."""
NO_LARGER = frozenset(("RELU", "TANH", "SOFTSIGN", "GELU_ERF", "GELU_TANH", "SIGMOID", "CLIP", "HARD_SIGMOID"))
"""Activations that make nothing infinite of anything finite."""
POOLING = (
    "stride_nd", "pre_padding", "post_padding", "padding_mode", "average_count_excludes_padding", "blend_factor"
)  # fmt: skip
RESIZING = (
    "resize_mode", "coordinate_transformation", "selector_for_single_pixel", "nearest_rounding", "cubic_coeff",
    "exclude_outside",
)  # fmt: skip


@dataclass(frozen=True)
class Padded:
    """An image with further channels.

    places: of the image's own channels in it. unit: what its number of channels was made a multiple of. further: the
    value in all other channels; None where they are some of other images.
    """

    tensor: Tensor
    places: Places
    unit: int
    further: float | None = 0.0

    @property
    def is_wider(self) -> bool:
        """Whether it has further channels."""
        return len(self.places) < int(self.tensor.shape[1])

    @property
    def own(self) -> Tensor | None:
        """The image alone, a slice; None where its channels are not beside each other."""
        size, start = len(self.places), int(self.places[0])
        if not self.is_wider:
            return self.tensor
        if not np.array_equal(self.places, start + np.arange(size)):
            return None
        return cut(self.tensor, {1: Cut(start, size)})

    def like(self, other: Padded) -> bool:
        """Whether the channels of both are in the same places."""
        return self.tensor.shape[1] == other.tensor.shape[1] and np.array_equal(self.places, other.places)


Found = Mapping[trt.ITensor, Padded]


def kept(network: Network, node: Node, found: Found) -> Padded | None:
    """What a layer computes, from padded images; None where it has to read the images themselves."""
    shuffled = network.shuffled.get(node.outputs[0]) if len(node.outputs) == 1 else None
    if shuffled is not None:
        image = found.get(shuffled[0].trt)
        return None if image is None else _shuffled(image, shuffled[1])
    keep = KEEPING.get(node.kind)
    return None if keep is None or found.keys().isdisjoint(node.inputs) else keep(network, node, found)


def _activated(network: Network, node: Node, found: Found) -> Padded | None:
    image, layer = found[node.inputs[0]], node.layer
    name, alpha, beta = str(layer.type.name), float(layer.alpha), float(layer.beta)
    further = None
    if image.further == 0.0:
        at_zero = OF_ZERO | {"CLIP": min(max(0.0, alpha), beta), "HARD_SIGMOID": min(max(0.0, beta), 1.0)}
        further = at_zero.get(name)
    if further is None and name not in NO_LARGER:
        return None
    arguments = {"input": image.tensor, "type": layer.type}
    numbers = {"alpha": alpha, "beta": beta}
    shape = image.tensor.shape
    (y,) = network.add("activation", arguments, attributes=numbers, name=name.lower(), dims=[shape])
    return Padded(y, image.places, image.unit, further)


def _combined(network: Network, node: Node, found: Found) -> Padded | None:
    """A sum, product, or the larger or smaller one, of two images whose channels are in the same places."""
    first, second = (found.get(x) for x in node.inputs)
    operation = str(node.layer.op.name)
    if first is None or second is None or operation not in SUMS_AND_PRODUCTS or not first.like(second):
        return None
    if first.further is None or second.further is None:
        return None
    further = float(OPERATIONS[operation](first.further, second.further))
    if not isfinite(further):
        return None
    one, other = first.tensor, second.tensor
    shape = tuple(m if n == 1 else n for n, m in zip(one.shape, other.shape, strict=True))
    arguments = {"input1": one, "input2": other, "op": node.layer.op}
    (y,) = network.add("elementwise", arguments, name=operation.lower(), dims=[shape])
    return Padded(y, first.places, first.unit, further)


def _resized(network: Network, node: Node, found: Found) -> Padded | None:
    """By numbers that are known."""
    image, layer = found.get(node.inputs[0]), node.layer
    if image is None or image.further != 0.0 or len(node.inputs) > 1:
        return None
    if layer.scales:
        sizes, shape = {"scales": tuple(layer.scales)}, ()
    else:
        batch, _, *rest = layer.shape
        shape = (batch, image.tensor.shape[1], *rest)
        sizes = {"shape": shape}
    attributes = sizes | {name: getattr(layer, name) for name in RESIZING}
    (y,) = network.add("resize", {"input": image.tensor}, attributes=attributes, dims=[shape])
    return Padded(y, image.places, image.unit)


def _pooled(network: Network, node: Node, found: Found) -> Padded | None:
    image, layer = found[node.inputs[0]], node.layer
    if image.further != 0.0 or any(not isinstance(n, int) for n in image.tensor.shape[2:]):
        return None
    arguments = {"input": image.tensor, "type": layer.type, "window_size": tuple(layer.window_size_nd)}
    dims: tuple[Size, ...] = (*image.tensor.shape[:2], *node.outputs[0].shape[2:])
    attributes = {name: getattr(layer, name) for name in POOLING}
    (y,) = network.add("pooling_nd", arguments, attributes=attributes, name="pool", dims=[dims])
    return Padded(y, image.places, image.unit)


def _joined(network: Network, node: Node, found: Found) -> Padded | None:
    """A concatenation of channels, all of padded images."""
    images = [image for x in node.inputs if (image := found.get(x)) is not None]
    if len(images) < len(node.inputs) or node.layer.axis != 1 or len({image.unit for image in images}) > 1:
        return None
    starts = np.cumsum([0, *(int(image.tensor.shape[1]) for image in images)])
    places = np.concatenate([start + image.places for start, image in zip(starts, images, strict=False)])
    values = {image.further for image in images}
    y = cat([image.tensor for image in images], 1)
    return Padded(y, places, images[0].unit, values.pop() if len(values) == 1 else None)


def _shuffled(image: Padded, order: Places) -> Padded | None:
    """Channels shuffled in groups of which each has its further channels: the groups' first ones are first again."""
    count = len(order)
    inner = int(order[1]) if count > 1 else 1  # each group's, if there are groups
    channels = int(image.tensor.shape[1])
    if not 0 < inner < count or count % inner or channels % (groups := count // inner):
        return None
    size = channels // groups
    grid = np.arange(count).reshape(groups, inner)
    whole = (np.arange(groups)[:, None] * size + np.arange(inner)).reshape(-1)
    if not np.array_equal(order, grid.T.reshape(-1)) or not np.array_equal(image.places, whole):
        return None
    batch, _, *pixels = image.tensor.shape
    apart = image.tensor.reshape(batch, groups, size, *pixels).transpose(1, 2)
    return Padded(apart.reshape(batch, channels, *pixels), np.arange(count), image.unit, image.further)


def _sliced(network: Network, node: Node, found: Found) -> Padded | None:
    """Some channels beside each other, with as many behind or before them as make the number a multiple."""
    image, layer = found.get(node.inputs[0]), node.layer
    if image is None or len(node.inputs) > 1 or layer.mode.name != "STRICT_BOUNDS":
        return None
    axes = list(getattr(layer, "axes", None) or range(image.tensor.ndim))
    cuts = [*zip(axes, layer.start, layer.shape, layer.stride, strict=True)]
    whole = node.inputs[0].shape
    if 1 not in axes or any(cut[1:] != (0, whole[cut[0]], 1) for cut in cuts if cut[0] != 1):
        return None
    ((_, start, count, step),) = (cut for cut in cuts if cut[0] == 1)
    places, channels = image.places[start : start + count], int(image.tensor.shape[1])
    size = multiple(count, image.unit)
    if step != 1 or size > channels or not np.array_equal(places, places[0] + np.arange(count)):
        return None
    first = min(int(places[0]), channels - size)
    return Padded(cut(image.tensor, {1: Cut(first, size)}), places - first, image.unit, None)


KEEPING: Mapping[str, Callable[[Network, Node, Found], Padded | None]] = {
    "ACTIVATION": _activated,
    "CONCATENATION": _joined,
    "ELEMENTWISE": _combined,
    "POOLING": _pooled,
    "RESIZE": _resized,
    "SLICE": _sliced,
}
"""By the kinds of layers that may."""
