"""Convolutions, with torch.nn.functional's names and arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtnet.dtypes import DType, bfloat16, float32
from trtnet.graph import Network, Parameter, Tensor, Weight
from trtnet.graph.weight import empty
from trtnet.ops.elementwise import cast
from trtnet.ops.windows import Padding, Window, kept, padding_attributes, pairs, spread

Kernel = Parameter | np.ndarray


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
    output_padding must not exceed padding: TensorRT crops its output and cannot extend it. Layer: IDeconvolutionLayer,
    in float32 for bfloat16, of which TensorRT-RTX 1.7 builds none.
    """
    wide = float32 if x.dtype == bfloat16 else x.dtype
    before, _ = pairs(padding, 2)
    after = tuple(p - extra for p, extra in zip(before, spread(output_padding, 2), strict=True))
    if min(after) < 0:
        x.network.fail(f"conv_transpose2d: output_padding {output_padding} exceeds padding {padding}", {"x": x})
    kernel, offset = _weights(x.network, weight, bias, None if wide == x.dtype else wide)
    _check_rank(x, kernel, "conv_transpose2d", 2)
    attributes = {"stride_nd": spread(stride, 2), "dilation_nd": spread(dilation, 2), "num_groups": groups}
    attributes |= {"pre_padding": before, "post_padding": after}
    return cast(_deconvolution(cast(x, wide), kernel, offset, attributes), x.dtype)


def _deconvolution(x: Tensor, kernel: Weight, bias: object, attributes: dict[str, Any]) -> Tensor:
    channels = kernel.shape[1] * attributes["num_groups"]
    (y,) = x.network.add(
        "deconvolution_nd",
        {"input": x, "num_output_maps": channels, "kernel_shape": kernel.shape[2:], "kernel": kernel, "bias": bias},
        attributes=attributes,
        name="conv_transpose",
        hint=_mismatch(x, kernel, kernel.shape[0], "conv_transpose2d"),
        dims=[(x.shape[0], channels, 1, 1)],
    )
    return y


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
    kernel, offset = _weights(x.network, weight, bias)
    _check_rank(x, kernel, "convolution", rank)
    strides, dilations = spread(stride, rank), spread(dilation, rank)
    extent = [d * (k - 1) for d, k in zip(dilations, kernel.shape[2:], strict=True)]
    attributes = {"stride_nd": strides, "dilation_nd": dilations, "num_groups": groups}
    (y,) = x.network.add(
        "convolution_nd",
        {"input": x, "num_output_maps": kernel.shape[0], "kernel_shape": kernel.shape[2:]}
        | {"kernel": kernel, "bias": offset},
        attributes=attributes | padding_attributes(x, padding, rank, "convolution"),
        hint=_mismatch(x, kernel, kernel.shape[1] * groups, "convolution"),
        dims=[(x.shape[0], kernel.shape[0], *kept(x, rank, strides, extent, padding))],
    )
    return y


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
