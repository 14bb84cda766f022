"""Images of convolutions that are sequences in another shape, such as the results of linear layers in PVTv2."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, pixels
from trtnet.ops.positions.steps import Arguments, Call
from trtnet.ops.products.linear import linear
from trtnet.ops.products.parts import has_its_rows, origins, sequence_of, shown
from trtnet.ops.quantization.weights import quantized


def linear_image(x: Tensor) -> Tensor:
    """The image `x`, by other layers where it is the result of a linear layer as an image and its form is another."""
    if x.ndim != 4 or not all(isinstance(n, int) for n in x.shape[1:]) or prod(map(int, x.shape[1:])) == 0:
        return x
    found = _source(x)
    if found is None or not _has_pixels(*found[:2]):
        return x
    base, _, given = found
    rows, weight, bias = given["x"], given["weight"], given.get("bias")
    is_layer = isinstance(weight, Parameter | np.ndarray) and isinstance(bias, Parameter | np.ndarray | None)
    is_float = x.network.quantized.watched is None and quantized(x.network, weight) is None
    return _image(x, base, rows, weight, bias) if is_layer and is_float and not _is_sum(x, weight) else x


def pixels_last(x: Tensor) -> Tensor:
    """An image as [batch, height, width, channels]: what it was made of in another shape, if that has this order.

    Images of sequences, as PVT has them, are permuted once more otherwise, and back.
    """
    batch, channels, height, width = x.shape
    found = sequence_of(x)
    if found is not None and _has_pixels(*found):
        return found[0].reshape(batch, height, width, channels)
    return x.permute(0, 2, 3, 1)


def _source(x: Tensor) -> tuple[Tensor, list[Any], Arguments] | None:
    """(the result of a linear layer that `x` has the elements of, what makes it of that, what the layer was given)."""
    for base, steps in origins(x):
        if isinstance(base.current, PendingLayer):
            return None
        made = base.network.steps.get(base.current)
        if isinstance(made, Call) and made.operation is linear:
            return base, steps, made.arguments
    return None


def _is_sum(x: Tensor, weight: Constant) -> bool:
    """Whether the product is summed over ranks."""
    return x.network.division.is_sum(weight)


def _has_pixels(base: Tensor, steps: list[Any]) -> bool:
    """Whether the channels of an image are the last axis of `base`, and its pixels what is before, in their order."""
    found = shown(base, steps)
    if found is None or found[1].ndim != 4:
        return False
    memory, image = found
    return has_its_rows(image.transpose(0, 2, 3, 1), memory)


def linear_facts(x: Tensor, base: Tensor, rows: Tensor, weight: Constant, *_: object) -> dict[str, int]:
    """The batch, how many pixels, of how many channels, and how many are made of these."""
    channels = {"channels": int(weight.shape[1]), "out_channels": int(weight.shape[0])}
    return batch_facts(x) | {"pixels": pixels(x)} | channels


@formulated("linear_image", "product", facts=linear_facts)
def _image(x: Tensor, base: Tensor, rows: Tensor, weight: Constant, bias: Constant | None) -> Tensor:
    """`x` [batch, features, height, width], which the linear layer makes: `base`, of `rows`, in this shape."""
    return x
