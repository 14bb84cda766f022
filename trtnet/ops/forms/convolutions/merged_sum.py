"""The sum of convolutions of one image as one convolution, whose kernel is the sum of theirs.

RepVGG has a convolution of 3x3, one of 1x1 and a batch norm in each block: one layer instead of four, a third of the
bytes. Source: Ding et al., 2021, arXiv:2101.03697. At batch 32 on an H200, TensorRT-RTX 1.6.1 takes 0.50 ms for
RepVGG-A0 instead of 0.77. In float16 a batch norm of the image leaves few bits to the kernel that it is added to: the
error is 1.8 to 3.5 times that of the sum. As a shortcut it costs none.
"""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.convolutions.batch_norm_folding import Array, Convolution, fits, taken
from trtnet.ops.convolutions.sums import Addend, parts, total
from trtnet.ops.elementwise.layers import layer
from trtnet.ops.formulations import form

LEAST_FACTOR = 0.125
"""The result of a convolution is not larger by more than the reciprocal of this before it is multiplied."""


@form("sum", "merged")
def merged(x: Tensor, y: Tensor) -> Tensor | None:
    """The layer of the larger window with the sum of both weights, computed in float64 and rounded once.

    The other layer stays in the network, where nothing reads it and TensorRT leaves it out. None where the weights
    would not be finite.
    """
    whole, addend = _both(x, y)
    result = _with(whole, *total(whole, _convolution(whole), addend))
    if result is not None and addend.pending is not None:
        assert isinstance(result.value, PendingLayer)
        addend.pending.take(result.value, whole.network.path)
        addend.pending.offer.leave(whole.network)
    return result


@form("sum", "shortcut")
def shortcut(x: Tensor, y: Tensor) -> Tensor | None:
    """Two convolutions as `merged`; the image, or a batch norm of it, as a shortcut of the image itself.

    ``kernel * x + f x`` is ``f (kernel / f * x + x)``: TensorRT adds the image and multiplies in the convolution's own
    kernel. What rounding takes of a factor, and what a small one lacks to LEAST_FACTOR, is among the weights.
    """
    whole, addend = _both(x, y)
    if addend.scale is None:
        return merged(x, y)
    convolution = _convolution(whole)
    assert convolution.geometry is not None and addend.shift is not None
    factor = np.copysign(np.maximum(np.abs(addend.scale), LEAST_FACTOR), addend.scale).astype(whole.dtype.numpy)
    wide = factor.astype(np.float64)
    kernel, bias = total(whole, convolution, Addend(addend.offset, scale=addend.scale - wide, shift=addend.shift))
    ones = (1,) * (kernel.ndim - 1)
    result = _with(whole, kernel / wide.reshape(-1, *ones), bias / wide)
    if result is None:
        return None
    y = layer("SUM", result, convolution.geometry.image.fresh(), "add", whole.dtype)
    return y if (factor == 1).all() else layer("PROD", y, factor.reshape(1, -1, *ones[1:]), "mul", whole.dtype)


def _both(x: Tensor, y: Tensor) -> tuple[Tensor, Addend]:
    found = parts(x, y)
    assert found is not None
    return found


def _convolution(whole: Tensor) -> Convolution:
    assert isinstance(whole.current, PendingLayer)
    made: Convolution = whole.current.offer
    return made


def _with(whole: Tensor, kernel: Array, bias: Array) -> Tensor | None:
    """The convolution with these weights; None where they are not finite in its dtype."""
    pending, narrow = whole.current, whole.dtype
    if not (fits(kernel, narrow) and fits(bias, narrow)):
        return None
    assert isinstance(pending, PendingLayer)
    return taken(whole, pending, pending.offer, kernel.astype(narrow.numpy), bias.astype(narrow.numpy), None)
