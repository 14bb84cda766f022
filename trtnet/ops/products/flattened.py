"""Linear layers of images whose channels and pixels were made one axis: the first of classifiers."""

from __future__ import annotations

from math import prod

import numpy as np

from trtnet.graph import Parameter, Tensor
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import batch_facts, known

Weights = Parameter | np.ndarray
"""A weight, or its values with their columns in another order."""


def image_facts(x: Tensor, weight: Parameter, image: Tensor) -> dict[str, int]:
    """The batch, how many pixels of how many channels there are, and out_features."""
    channels = known(image.shape[1])
    sizes = {"pixels": weight.shape[1] // channels, "channels": channels, "out_features": weight.shape[0]}
    return batch_facts(image) | sizes


@formulated("flattened", "channels_first", facts=image_facts)
def _ordered(x: Tensor, weight: Parameter, image: Tensor) -> tuple[Tensor, Weights]:
    """What is multiplied with which weight: x [batch, channels * pixels], which `image` was made."""
    return x, weight


def ordered(x: Tensor, weight: Parameter) -> tuple[Tensor, Weights]:
    """``x`` and the weight of a product in the order of elements that is chosen for an image, or as they are."""
    found = x.network.moves.get(x.trt) if x.ndim == 2 else None
    if found is None or not found.is_reshape or x.network.division.ranks > 1:
        return x, weight
    image: Tensor = found.source
    sizes = image.shape[1:]
    is_known = all(isinstance(size, int) for size in sizes)
    if len(sizes) < 2 or not is_known or prod(sizes) != x.shape[1] or prod(sizes[1:]) == 1 or sizes[0] == 1:
        return x, weight
    return _ordered(x, weight, image)
