"""Convolutions with a kernel of its own for each sample: as many groups as samples, whose number is a named size.

The samples are channels of one image, and the kernels are computed from inputs, as in StyleGAN2 and dynamic
convolutions. Of a number of samples that is known they are convolutions in groups.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from trtnet.graph import Dim, Tensor
from trtnet.ops.arguments.window_arguments import Window, in_numbers, spread
from trtnet.ops.convolutions.fold import fold, unfold
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.products.matmul import matmul
from trtnet.ops.shapes.shape import reshape


def per_sample(operation: Callable[..., Tensor], rank: int) -> Callable[..., Tensor]:
    """A convolution, or a transposed one, which may have as many groups as there are samples."""
    takes = inspect.signature(operation)

    @functools.wraps(operation)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        given = takes.bind(*args, **kwargs)
        given.apply_defaults()
        named = given.arguments
        if not (isinstance(named["groups"], Dim) and isinstance(named["weight"], Tensor)):
            return operation(*args, **kwargs)
        return (_transposed if "output_padding" in named else _convolved)(**named, rank=rank)

    return call


def _convolved(
    x: Tensor, weight: Tensor, bias: Any, stride: Window, padding: Any, dilation: Window, groups: Dim, rank: int
) -> Tensor:
    """x: [1, groups * channels, ...]. weight: [groups * out, channels, ...]. Returns [1, groups * out, ...]."""
    image, kernel = _of_samples(x, weight, groups, rank, "conv")
    steps, gaps = ((1,) * (2 - rank) + spread(each, rank) for each in (stride, dilation))
    window: Any = kernel.shape[-2:]
    given: Any = in_numbers(padding, window[2 - rank :], stride, dilation)
    if not isinstance(given, int):
        pairs = [(each, each) if isinstance(each, int) else tuple(each) for each in given]
        if any(before != after for before, after in pairs):
            text = "a convolution per sample takes the same padding before and after"
            x.network.fail(text, {"x": x, "weight": weight})
        given = tuple(before for before, _ in pairs)
    pads = (0,) * (2 - rank) + spread(given, rank)
    columns = unfold(image, window, gaps, pads, steps)
    product = matmul(reshape(kernel, (groups, -1, columns.shape[1])), columns)
    sizes = tuple(
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, p, d, s in zip(image.shape[-2:], window, pads, gaps, steps, strict=True)
    )
    return _joined(product, bias, sizes[2 - rank :], groups)


def _transposed(
    x: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Window,
    padding: Window,
    output_padding: Window,
    groups: Dim,
    dilation: Window,
    rank: int,
) -> Tensor:
    """x: [1, groups * channels, ...]. weight: [groups * channels, out, ...]. Returns [1, groups * out, ...]."""
    image, kernel = _of_samples(x, weight, groups, rank, "conv_transpose")
    steps, gaps = ((1,) * (2 - rank) + spread(each, rank) for each in (stride, dilation))
    pads, more = ((0,) * (2 - rank) + spread(each, rank) for each in (padding, output_padding))
    window: Any = kernel.shape[-2:]
    channels = image.shape[1]
    rows = reshape(kernel, (groups, channels, kernel.shape[1] * window[0] * window[1]))
    columns = matmul(rows.transpose(1, 2), reshape(image, (groups, channels, -1)))
    sizes: Any = tuple(
        (size - 1) * s - 2 * p + d * (k - 1) + extra + 1
        for size, k, p, d, s, extra in zip(image.shape[-2:], window, pads, gaps, steps, more, strict=True)
    )
    return _joined(fold(columns, sizes, window, gaps, pads, steps), bias, sizes[2 - rank :], groups)


def _of_samples(x: Tensor, weight: Tensor, groups: Dim, rank: int, name: str) -> tuple[Tensor, Tensor]:
    """The samples as a batch of images, and the kernels, both with a height."""
    if rank > 2 or x.ndim != rank + 2 or x.shape[0] != 1 or weight.ndim != rank + 2:
        text = f"{name}{rank}d with groups={groups}, a named size, takes samples as channels: [1, groups * channels,"
        x.network.fail(f"{text} ...] of one or two axes", {"x": x, "weight": weight})
    heights = (1,) * (2 - rank)
    image = reshape(x, (groups, -1, *heights, *x.shape[2:]))
    return image, reshape(weight, (*weight.shape[:2], *heights, *weight.shape[2:]))


def _joined(y: Tensor, bias: Any, sizes: tuple[Any, ...], groups: Dim) -> Tensor:
    """[groups, out, ...] as channels of one image, with a bias for each."""
    out = y.shape[1]
    whole = reshape(y, (1, groups * out, *sizes))
    return whole if bias is None else add(whole, reshape(bias, (1, -1, *(1,) * len(sizes))))
