"""The sum of two convolutions of one image, which is one convolution: what is such a sum.

A batch norm of the image, and the image itself, are convolutions of one pixel, too. RepVGG and MobileOne are trained
with such sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trtnet.graph import Tensor
from trtnet.graph.memory.pending import PendingLayer
from trtnet.ops.convolutions.batch_norm_folding import Array, Convolution, Geometry, array_of
from trtnet.ops.convolutions.rearrangement import Sides
from trtnet.ops.formulations import formulated
from trtnet.ops.formulations.facts import pixels


@dataclass(frozen=True)
class Addend:
    """What goes into a convolution's weights. offset: the place of its window in that of the convolution.

    pending: its own layer, which nothing else reads; None for a batch norm and for the image. scale, shift: of each
    channel, if it is one of these.
    """

    offset: tuple[int, ...]
    pending: PendingLayer | None = None
    scale: Array | None = None
    shift: Array | None = None


def plus(x: Tensor, y: Tensor) -> Tensor | None:
    """The sum as one layer, if it is one of convolutions of one image and its form is that. x: of a convolution."""
    return None if parts(x, y) is None else summed(x, y)


def sum_facts(x: Tensor, y: Tensor) -> dict[str, int]:
    """How many pixels are known, and channels."""
    channels = x.shape[1]
    return {"pixels": pixels(x), "out_channels": channels if isinstance(channels, int) else 1}


@formulated("sum", "separate", facts=sum_facts)
def summed(x: Tensor, y: Tensor) -> Tensor | None:
    """A layer that adds."""
    return None


def parts(x: Tensor, y: Tensor) -> tuple[Tensor, Addend] | None:
    """(the result of the convolution that has room for the other one, the other one); None where neither has."""
    if x.dtype != y.dtype or x.ndim != y.ndim or x.shape[1] != y.shape[1] or x.current is y.current:
        return None
    for whole, other in ((x, y), (y, x)):
        found = _of_convolution(whole)
        addend = None if found is None or found.geometry is None else _addend(found, found.geometry, other)
        if addend is not None:
            return whole, addend
    return None


def _of_convolution(x: Tensor) -> Convolution | None:
    """The convolution that makes a tensor which nothing has read."""
    pending = x.current
    free = isinstance(pending, PendingLayer) and pending.is_free and isinstance(pending.offer, Convolution)
    return pending.offer if free else None


def _addend(whole: Convolution, at: Geometry, other: Tensor) -> Addend | None:
    convolution, image = _of_convolution(other), at.image.trt
    if convolution is not None:
        where = convolution.geometry
        if where is None or where.image.trt is not image or (where.stride, where.groups) != (at.stride, at.groups):
            return None
        window = convolution.kernel.shape[2:]
        if where.dilation != at.dilation and max(window) > 1:
            return None
        offset = _offset(whole, at, window, where.padding)
        return None if offset is None else Addend(offset, other.current)
    if isinstance(other.current, PendingLayer):
        return None
    source, norm = other.network.scaled.get(other.trt, (other.trt, None))
    ones = (1,) * len(at.stride)
    same = whole.kernel.shape[0] == whole.kernel.shape[1] * at.groups and at.stride == ones
    offset = _offset(whole, at, ones, ((0, 0),) * len(ones)) if same and source is image else None
    if offset is None:
        return None
    channels = whole.kernel.shape[0]
    scale, shift = (np.ones(channels), np.zeros(channels)) if norm is None else (norm.scale, norm.shift)
    return Addend(offset, scale=scale, shift=shift)


def _offset(whole: Convolution, at: Geometry, window: tuple[int, ...], padding: Sides) -> tuple[int, ...] | None:
    """Where a window is in the larger one; None where it is not, or the sizes of the results differ."""
    found = []
    axes = zip(whole.kernel.shape[2:], at.padding, at.dilation, window, padding, strict=True)
    for size, outer, step, inner_size, inner in axes:
        before, rest = divmod(outer[0] - inner[0], step)
        is_inside = rest == 0 and 0 <= before <= size - inner_size
        if not is_inside or step * (size - inner_size) != sum(outer) - sum(inner):
            return None
        found.append(before)
    return tuple(found)


def total(x: Tensor, whole: Convolution, addend: Addend) -> tuple[Array, Array]:
    """The kernel and the bias of both in float64."""
    kernel = array_of(x, whole.kernel).astype(np.float64)
    bias = np.zeros(kernel.shape[0]) if whole.bias is None else array_of(x, whole.bias).astype(np.float64)
    if addend.pending is None:
        channels = np.arange(kernel.shape[0])
        assert addend.scale is not None and addend.shift is not None
        kernel[(channels, channels % kernel.shape[1], *addend.offset)] += addend.scale
        return kernel, bias + addend.shift
    other: Convolution = addend.pending.offer
    inner = array_of(x, other.kernel)
    sides = zip(addend.offset, inner.shape[2:], strict=True)
    where = (slice(None), slice(None), *(slice(start, start + size) for start, size in sides))
    kernel[where] += inner
    return kernel, bias if other.bias is None else bias + array_of(x, other.bias)
