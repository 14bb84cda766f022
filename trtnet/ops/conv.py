"""Convolutions, with torch.nn.functional's names and arguments."""

from __future__ import annotations

import numpy as np

from trtnet.dtypes import DType, bfloat16, float32
from trtnet.graph import Network, Parameter, Tensor, Weight
from trtnet.graph.weight import empty
from trtnet.ops.elementwise import add, cast
from trtnet.ops.operands import tensor
from trtnet.ops.pad import pad
from trtnet.ops.windows import Padding, Window, geometry, kept, lift, padding_attributes, pairs, spread

Kernel = Parameter | np.ndarray


def conv1d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Padding = 0,
    dilation: Window = 1,
    groups: int = 1,
) -> Tensor:
    """1-D convolution of x [batch, in_channels, length], as a 2-D one of height 1; otherwise as conv2d."""
    return _convolution(x, weight, bias, stride, padding, dilation, groups, rank=1)


def conv2d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Padding = 0,
    dilation: Window = 1,
    groups: int = 1,
) -> Tensor:
    """2-D convolution.

    x: [batch, in_channels, height, width]. weight: [out_channels, in_channels / groups, kernel_height, kernel_width].
    bias: [out_channels]. padding: see ``ops.windows``. Layer: IConvolutionLayer.
    """
    return _convolution(x, weight, bias, stride, padding, dilation, groups, rank=2)


def conv3d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Padding = 0,
    dilation: Window = 1,
    groups: int = 1,
) -> Tensor:
    """3-D convolution of x [batch, in_channels, depth, height, width]; otherwise as conv2d."""
    return _convolution(x, weight, bias, stride, padding, dilation, groups, rank=3)


def conv_transpose1d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Window = 0,
    output_padding: Window = 0,
    groups: int = 1,
    dilation: Window = 1,
) -> Tensor:
    """1-D transposed convolution of x [batch, in_channels, length]; otherwise as conv_transpose2d."""
    return _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation, rank=1)


def conv_transpose2d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Window = 0,
    output_padding: Window = 0,
    groups: int = 1,
    dilation: Window = 1,
) -> Tensor:
    """2-D transposed convolution.

    x: [batch, in_channels, height, width]. weight: [in_channels, out_channels / groups, kernel_height, kernel_width].
    Layer: IDeconvolutionLayer, in float32 for bfloat16, of which TensorRT-RTX 1.7 builds none. Where output_padding
    exceeds padding, which TensorRT cannot say, zeros and the bias follow as layers of their own.
    """
    return _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation, rank=2)


def conv_transpose3d(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None = None,
    stride: Window = 1,
    padding: Window = 0,
    output_padding: Window = 0,
    groups: int = 1,
    dilation: Window = 1,
) -> Tensor:
    """3-D transposed convolution of x [batch, in_channels, depth, height, width]; otherwise as conv_transpose2d."""
    return _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation, rank=3)


def _convolution(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None,
    stride: Window,
    padding: Padding,
    dilation: Window,
    groups: int,
    rank: int,
) -> Tensor:
    name = "convolution"
    kernel, offset = _weights(x.network, weight, bias)
    _check_rank(x, kernel, name, rank)
    image, flat = lift(x, rank)
    strides, dilations = geometry(stride, rank, 1), geometry(dilation, rank, 1)
    window = geometry(kernel.shape[2:], rank, 1)
    sides = padding if isinstance(padding, str) else list(zip(*pairs(padding, rank, flat), strict=True))
    extent = [d * (k - 1) for d, k in zip(dilations, window, strict=True)]
    attributes = {"stride_nd": strides, "dilation_nd": dilations, "num_groups": groups}
    (y,) = x.network.add(
        "convolution_nd",
        {"input": image, "num_output_maps": kernel.shape[0], "kernel_shape": window, "kernel": kernel, "bias": offset},
        attributes=attributes | padding_attributes(image, sides, len(window), name),
        hint=_mismatch(x, kernel, kernel.shape[1] * groups, name),
        dims=[(x.shape[0], kernel.shape[0], *kept(image, len(window), strides, extent, sides))],
    )
    return y.squeeze(2) if flat else y


def _transposed(
    x: Tensor,
    weight: Kernel,
    bias: Kernel | None,
    stride: Window,
    padding: Window,
    output_padding: Window,
    groups: int,
    dilation: Window,
    rank: int,
) -> Tensor:
    name = f"conv_transpose{rank}d"
    before, _ = pairs(padding, rank)
    after = tuple(p - extra for p, extra in zip(before, spread(output_padding, rank), strict=True))
    beyond = [max(-crop, 0) for crop in after]
    wide = float32 if x.dtype == bfloat16 else x.dtype
    kernel, offset = _weights(x.network, weight, None if any(beyond) else bias, None if wide == x.dtype else wide)
    _check_rank(x, kernel, name, rank)
    image, flat = lift(cast(x, wide), rank)
    channels = kernel.shape[1] * groups
    window = geometry(kernel.shape[2:], rank, 1)
    attributes = {"stride_nd": geometry(stride, rank, 1), "dilation_nd": geometry(dilation, rank, 1)}
    attributes |= {"pre_padding": geometry(before, rank, 0)}
    attributes |= {"post_padding": geometry([max(crop, 0) for crop in after], rank, 0)}
    (y,) = x.network.add(
        "deconvolution_nd",
        {"input": image, "num_output_maps": channels, "kernel_shape": window, "kernel": kernel, "bias": offset},
        attributes=attributes | {"num_groups": groups},
        name="conv_transpose",
        hint=_mismatch(x, kernel, kernel.shape[0], name),
        dims=[(x.shape[0], channels, *(1,) * len(window))],
    )
    y = cast(y.squeeze(2) if flat else y, x.dtype)
    if not any(beyond):
        return y
    grown = pad(y, [side for extra in reversed(beyond) for side in (0, extra)])
    if bias is None:
        return grown
    return add(grown, tensor(bias, x.network, x.dtype).reshape(1, channels, *(1,) * rank))


def _weights(
    network: Network, weight: Kernel, bias: Kernel | None, dtype: DType | None = None
) -> tuple[Weight, object]:
    kernel = network.weight(weight, dtype)
    return kernel, empty(kernel.dtype) if bias is None else network.weight(bias, dtype)


def _check_rank(x: Tensor, kernel: Weight, name: str, rank: int) -> None:
    operands = {"x": x, "weight": kernel}
    if x.ndim != rank + 2:
        x.network.fail(f"{name} takes an input of {rank + 2} dimensions, found {x.ndim}", operands)
    if len(kernel.shape) != rank + 2:
        x.network.fail(f"{name} takes a kernel of {rank + 2} dimensions, found {len(kernel.shape)}", operands)


def _mismatch(x: Tensor, kernel: Weight, channels: int, name: str) -> str:
    """What to say first if TensorRT refuses the layer."""
    if x.dtype != kernel.dtype:
        return f"{name} got an input of {x.dtype}, its kernel is {kernel.dtype}"
    if x.shape[1] != channels:
        return f"{name} got an input with {x.shape[1]} channels, its kernel has {channels}"
    return ""
