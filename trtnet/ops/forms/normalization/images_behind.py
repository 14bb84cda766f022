"""Layers of an image before a norm of one group, which is applied to their results.

The kernel that only applies the norm is saved: one that writes the image computes the means and the deviations of parts
of it, and what reads the result of the layer applies them. Source: PoolFormer's blocks, Yu et al., 2022,
arXiv:2111.11418.

In 16 bits the result of the layer is rounded before the norm's mean is taken from it: of images whose mean is k
deviations the error is about k / 2 times that of normalized ones, and less than theirs for k below 1. A product with
numbers of some thousands can overflow float16.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trtnet.graph import Tensor
from trtnet.ops.convolutions.conv import pixelwise
from trtnet.ops.elementwise.arithmetic import add, mul, sub
from trtnet.ops.forms.dtypes import has_16_bits
from trtnet.ops.forms.normalization.behind import Folded, Kept, array_of
from trtnet.ops.forms.normalization.image_statistics import moments, two_passes
from trtnet.ops.formulations import form
from trtnet.ops.normalization.behind import Constant, Normed, Statistics

Means = Callable[[Tensor], Tensor]


@form("normed_pool", "two_passes")
def pool_from_two_passes(x: Tensor, found: Normed, means: Means) -> Tensor:
    """The means of the image less itself, times the weight over the deviation: equal numbers less their means are 0."""
    return _less_itself(x, found, means, two_passes)


@form("normed_pool", "moments", applies=has_16_bits)
def pool_from_moments(x: Tensor, found: Normed, means: Means) -> Tensor:
    """The same, with the deviation from means of squares, which one kernel computes with those of the elements."""
    return _less_itself(x, found, means, moments)


@form("normed_pixels", "two_passes")
def pixels_from_two_passes(x: Tensor, found: Normed, weight: Constant, bias: Constant | None) -> Tensor | None:
    """``r (W diag(w)) x - r m (W w) + W b``, and the bias: all but the product in float32.

    None where the weights would not be finite.
    """
    return _product(x, found, weight, bias, two_passes)


@form("normed_pixels", "moments", applies=has_16_bits)
def pixels_from_moments(x: Tensor, found: Normed, weight: Constant, bias: Constant | None) -> Tensor | None:
    """The same, with the deviation from means of squares, which one kernel computes with those of the elements."""
    return _product(x, found, weight, bias, moments)


def _less_itself(x: Tensor, found: Normed, means: Means, way: Statistics) -> Tensor:
    y, (_, inverse) = sub(means(found.x), found.x), found.statistics(way)
    kept = Kept.of(y)
    factor = kept.per_image(inverse)
    if found.weight is not None:
        factor = mul(factor, kept.per_channel(array_of(x, found.weight)))
    x.network.aside.append(x)
    return kept.narrowed(mul(kept.image, factor), x)


def _product(x: Tensor, found: Normed, weight: Constant, bias: Constant | None, way: Statistics) -> Tensor | None:
    folded = Folded.of(x, found, weight, bias)
    if not folded.fits(x):
        return None
    narrow = folded.matrix.astype(x.dtype.numpy)
    kept = Kept.of(pixelwise(found.x, narrow[:, :, None, None], None))
    centre, inverse = found.statistics(way)
    own = mul(kept.per_image(centre), kept.per_channel(narrow.astype(np.float64).sum(1)))
    scaled = mul(sub(kept.image, own), kept.per_image(inverse))
    x.network.aside.append(x)
    return kept.narrowed(add(scaled, kept.per_channel(folded.offsets)), x)
