"""Convolutions, with torch.nn.functional's names and arguments."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Network, Parameter, Tensor, Weight
from trtnet.graph.network import Convolution
from trtnet.graph.weight import empty
from trtnet.ops.forms import form
from trtnet.ops.patches import are_patches, patch_product
from trtnet.ops.windows import Padding, Window, geometry, kept, lift, padding_attributes, pairs

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
    return convolution(x, weight, bias, stride, padding, dilation, groups, rank=1)


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
    bias: [out_channels]. padding: see ``ops.windows``. Layer: IConvolutionLayer; in its form "product", where it cuts
    an image into patches as a vision transformer's does, IMatrixMultiplyLayer: see ``ops.patches``.
    """
    if are_patches(x, weight, stride, padding, dilation, groups) and form(x.network, "patches") == "product":
        return patch_product(x, weight, bias)
    return convolution(x, weight, bias, stride, padding, dilation, groups, rank=2)


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
    return convolution(x, weight, bias, stride, padding, dilation, groups, rank=3)


def convolution(
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
    kernel, offset = weights(x.network, weight, bias)
    check_rank(x, kernel, name, rank)
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
        hint=mismatch(x, kernel, kernel.shape[1] * groups, name),
        dims=[(x.shape[0], kernel.shape[0], *kept(image, len(window), strides, extent, sides))],
    )
    result = y.squeeze(2) if flat else y
    x.network.convolutions[result.trt] = Convolution(
        x.network.path,
        weight,
        bias,
        lambda kernel, offset: convolution(x, kernel, offset, stride, padding, dilation, groups, rank),
    )
    return result


def weights(network: Network, weight: Kernel, bias: Kernel | None) -> tuple[Weight, object]:
    """What TensorRT takes of a kernel and a bias."""
    kernel = network.weight(weight)
    return kernel, empty(kernel.dtype) if bias is None else network.weight(bias)


def check_rank(x: Tensor, kernel: Weight, name: str, rank: int) -> None:
    operands = {"x": x, "weight": kernel}
    if x.ndim != rank + 2:
        x.network.fail(f"{name} takes an input of {rank + 2} dimensions, found {x.ndim}", operands)
    if len(kernel.shape) != rank + 2:
        x.network.fail(f"{name} takes a kernel of {rank + 2} dimensions, found {len(kernel.shape)}", operands)


def mismatch(x: Tensor, kernel: Weight, channels: int, name: str) -> str:
    """What to say first if TensorRT refuses the layer."""
    if x.dtype != kernel.dtype:
        return f"{name} got an input of {x.dtype}, its kernel is {kernel.dtype}"
    if x.shape[1] != channels:
        return f"{name} got an input with {x.shape[1]} channels, its kernel has {channels}"
    return ""
