"""Transposed convolutions, with torch.nn.functional's names and arguments."""

from __future__ import annotations

import numpy as np

from trtnet.graph import Tensor, Weight
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Window, geometry, lift, pairs, spread
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.weights import ConvolutionWeights, Kernel, mismatch
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.quantization.activations import convolved
from trtnet.ops.quantization.held_scales import operands
from trtnet.ops.shapes.pad import pad
from trtnet.ops.shapes.rearrange import flip
from trtnet.support.backend import has_kernels
from trtnet.support.dtypes import bfloat16


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
    """1-D transposed convolution.

    x: [batch, in_channels, length], or without a batch; floating. weight: [in_channels, out_channels / groups, kernel],
    of the dtype of `x`. bias: [out_channels]. Returns [batch, out_channels, new length], in the dtype of `x`.
    Layer: IDeconvolutionLayer, 2-D with a height of 1; IConvolutionLayer where TensorRT-RTX has no kernels (see
    conv_transpose2d).
    Raises LayerError for an output_padding that is not below stride or dilation, and for shapes or dtypes that do not
    fit.
    """
    y = _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation, rank=1)
    return convolved(y, x, weight)


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

    x: [batch, in_channels, height, width], or without a batch; floating. weight: [in_channels, out_channels / groups,
    kernel_height, kernel_width], of the dtype of `x`. bias: [out_channels]. weight and bias may be tensors of the
    network. Returns [batch, out_channels, rows, columns], in the dtype of `x`.
    Layer: IDeconvolutionLayer. Where output_padding exceeds padding, ISliceLayer adds the zeros and IElementWiseLayer
    the bias. TensorRT-RTX does not build it in bfloat16, and computes wrong results for several groups with a stride:
    those are an IConvolutionLayer of the image with zeros between its pixels.
    Raises LayerError for an output_padding that is not below stride or dilation, and for shapes or dtypes that do not
    fit.
    Source: Dumoulin and Visin, 2016, arXiv:1603.07285.
    """
    y = _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation, rank=2)
    return convolved(y, x, weight)


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
    """3-D transposed convolution.

    x: [batch, in_channels, depth, height, width], or without a batch; floating. weight: [in_channels, out_channels /
    groups, *kernel], of the dtype of `x`. bias: [out_channels]. Returns [batch, out_channels, slices, rows, columns],
    in the dtype of `x`.
    Layer: IDeconvolutionLayer; IConvolutionLayer where TensorRT-RTX has no kernels (see conv_transpose2d).
    Raises LayerError for an output_padding that is not below stride or dilation, and for shapes or dtypes that do not
    fit.
    """
    y = _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation, rank=3)
    return convolved(y, x, weight)


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
    _check_output_padding(x, stride, output_padding, dilation, rank)
    x, weight, _ = operands(x, weight)
    if x.ndim == rank + 1:
        image = x.unsqueeze(0)
        return _transposed(image, weight, bias, stride, padding, output_padding, groups, dilation, rank).squeeze(0)
    if not has_deconvolution(x, stride, groups, rank):
        return _as_convolution(x, weight, bias, stride, padding, output_padding, groups, dilation, rank)
    before, _ = pairs(padding, rank)
    after = tuple(p - extra for p, extra in zip(before, spread(output_padding, rank), strict=True))
    beyond = [max(-crop, 0) for crop in after]
    given = ConvolutionWeights.of(x, weight, None if any(beyond) else bias, name, rank)
    image, flat = lift(x, rank)
    channels = given.shape[1] * groups
    window = geometry(given.window, rank, 1)
    attributes = {"stride_nd": geometry(stride, rank, 1), "dilation_nd": geometry(dilation, rank, 1)}
    attributes |= {"pre_padding": geometry(before, rank, 0)}
    attributes |= {"post_padding": geometry([max(crop, 0) for crop in after], rank, 0)}
    (y,) = x.network.add(
        "deconvolution_nd",
        {"input": image, "num_output_maps": channels, "kernel_shape": window, **given.arguments()},
        attributes=attributes | {"num_groups": groups},
        inputs=given.inputs,
        name="conv_transpose",
        hint=mismatch(x, given, given.shape[0], name),
        dims=[(x.shape[0], channels, *(1,) * len(window))],
        shown={"x": x, "weight": given.kernel, "bias": given.bias},
    )
    y = y.squeeze(2) if flat else y
    if not any(beyond):
        return y
    grown = pad(y, [side for extra in reversed(beyond) for side in (0, extra)])
    if bias is None:
        return grown
    return add(grown, tensor(bias, x.network, x.dtype).reshape(1, channels, *(1,) * rank))


def _check_output_padding(x: Tensor, stride: Window, output_padding: Window, dilation: Window, rank: int) -> None:
    sizes = (spread(value, rank) for value in (output_padding, stride, dilation))
    if any(extra >= max(s, d) for extra, s, d in zip(*sizes, strict=True)):
        text = f"output_padding {output_padding} is smaller than the stride {stride} or the dilation {dilation}"
        x.network.fail(f"conv_transpose{rank}d: {text}", {"x": x})


def has_deconvolution(x: Tensor, stride: Window, groups: int, rank: int) -> bool:
    """Whether TensorRT computes transposed convolutions of a dtype, a stride and groups."""
    if x.dtype == bfloat16 and not has_kernels("BFLOAT16_DECONVOLUTION"):
        return False
    strided = groups > 1 and max(spread(stride, rank)) > 1
    return has_kernels("STRIDED_GROUPED_DECONVOLUTION") or not strided


def _as_convolution(
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
    """The same as a convolution: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 4.6."""
    name = f"conv_transpose{rank}d"
    given = ConvolutionWeights.of(x, weight, bias, name, rank)
    if problem := mismatch(x, given, given.shape[0], name):
        x.network.fail(problem, {"x": x, "weight": given.kernel})
    kernel = given.kernel
    if isinstance(kernel, Weight) and kernel.key:
        x.network.folded.add(kernel.key)
    strides, crops, extra = spread(stride, rank), spread(padding, rank), spread(output_padding, rank)
    reach = [d * (k - 1) for d, k in zip(spread(dilation, rank), given.window, strict=True)]
    before = [r - p for r, p in zip(reach, crops, strict=True)]
    after = [b + more - (s - 1) for b, more, s in zip(before, extra, strides, strict=True)]
    cropped = [min(side, 0) for b, a in zip(reversed(before), reversed(after), strict=True) for side in (b, a)]
    spaced = _with_zeros_between(x, strides)
    return convolution(
        pad(spaced, cropped) if any(cropped) else spaced,
        _mirrored(kernel.array, groups) if isinstance(kernel, Weight) else _mirrored_tensor(kernel, groups),
        bias,
        1,
        [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)],
        dilation,
        groups,
        rank,
    )


def _with_zeros_between(x: Tensor, stride: tuple[int, ...]) -> Tensor:
    """`stride` - 1 zeros after each pixel, along each spatial axis."""
    if max(stride) == 1:
        return x
    batch, channels, *sizes = x.shape
    columns = x.reshape(batch, channels, *(size for pixel in sizes for size in (pixel, 1)))
    filled = pad(columns, [zeros for s in reversed(stride) for zeros in (0, s - 1, 0, 0)])
    return filled.reshape(batch, channels, *(size * s for size, s in zip(sizes, stride, strict=True)))


def _mirrored(kernel: np.ndarray, groups: int) -> np.ndarray:
    """[in_channels, out_channels / groups, ...] -> [out_channels, in_channels / groups, ...], mirrored."""
    inputs, outputs, *window = kernel.shape
    grouped = kernel.reshape(groups, inputs // groups, outputs, *window).swapaxes(1, 2)
    return np.flip(grouped.reshape(groups * outputs, inputs // groups, *window), tuple(range(2, kernel.ndim)))


def _mirrored_tensor(kernel: Tensor, groups: int) -> Tensor:
    inputs, outputs, *window = kernel.shape
    grouped = kernel.reshape(groups, inputs // groups, outputs, *window).transpose(1, 2)
    mirrored = grouped.reshape(groups * outputs, inputs // groups, *window)
    return flip(mirrored, tuple(range(2, kernel.ndim))) if any(n != 1 for n in window) else mirrored
