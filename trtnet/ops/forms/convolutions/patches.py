"""A convolution of an image whose windows do not overlap, as the matrix product that it is.

Kernels for tensor cores take eight channels at a time, and an image has three: on an H200, TensorRT-RTX 1.6 runs the
patch embedding of a ViT-B/16 at batch 32 in 0.39 ms as a convolution, and in a tenth of that as a product. Of more
channels it is faster where PVT shrinks keys and values by 8x8 of 32 channels (PVTv2-B0 1.21 instead of 1.29 ms), and
slower for 4x4 and 2x2.
"""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.operands import tensor
from trtnet.ops.arguments.window_arguments import Window
from trtnet.ops.convolutions.columns import BATCH_SECOND, columns
from trtnet.ops.convolutions.kinds import LOADED, Constant
from trtnet.ops.convolutions.linear_images import pixels_last
from trtnet.ops.elementwise.arithmetic import add
from trtnet.ops.formulations import form
from trtnet.ops.products.accumulation import product_with_weight
from trtnet.ops.shapes.turned import CHANNELS_LAST, turn, turned


@form("patches", "product")
def patch_product(x: Tensor, weight: Constant, bias: Operand | None, stride: Window) -> Tensor:
    """The convolution. x: [batch, channels, height, width]. Returns [batch, out_channels, rows, columns]."""
    y = _product(x, weight, bias)
    batch, rows, columns, out = y.shape
    return y.flatten(1, 2).permute(0, 2, 1).reshape(batch, out, rows, columns)


@form("patches", "channels_last")
def channels_last(x: Tensor, weight: Constant, bias: Operand | None, stride: Window) -> Tensor:
    """The same, kept as [batch, rows, columns, out_channels], in which layer norms read it."""
    return turned(_product(x, weight, bias, is_last=weight.shape[1] >= LOADED), CHANNELS_LAST)


@form("patches", "columns")
def patch_columns(x: Tensor, weight: Constant, bias: Operand | None, stride: Window) -> Tensor:
    """The kernel times [pixels of a patch, patches of all images]. x: [batch, channels, height, width].

    In front of ConvMixer's blocks on an H200, TensorRT-RTX 1.6.1 takes 6.74 ms for the model so, and 6.85 with
    `product`, whose result it permutes (batch 32, float16).
    """
    batch, channels, height, width = x.shape
    high, wide = weight.shape[2:]
    assert isinstance(height, int) and isinstance(width, int)
    rows, across = height // high, width // wide
    grid = turn(x, BATCH_SECOND).reshape(channels, batch, rows, high, across, wide)
    return columns(grid.permute(0, 3, 5, 1, 2, 4), weight, bias, (batch, rows, across))


def _product(x: Tensor, weight: Constant, bias: Operand | None, *, is_last: bool = False) -> Tensor:
    """[batch, rows, columns, out_channels].

    is_last: whether the channels are behind the pixels of a patch, so that several of them are read at once.
    """
    batch, channels, height, width = x.shape
    out, _, high, wide = weight.shape
    assert isinstance(height, int) and isinstance(width, int)
    rows, columns = height // high, width // wide
    kernel = tensor(weight, x.network)
    if is_last:
        image = pixels_last(x).reshape(batch, rows, high, columns, wide * channels)
        grid, kernel = image.permute(0, 1, 3, 2, 4), kernel.permute(0, 2, 3, 1)
    else:
        grid = x.reshape(batch, channels, rows, high, columns, wide).permute(0, 2, 4, 1, 3, 5)
    patches = grid.reshape(batch, rows * columns, channels * high * wide)
    y = product_with_weight(patches, kernel.reshape(1, out, channels * high * wide).permute(0, 2, 1), "NONE")
    return (y if bias is None else add(y, bias)).reshape(batch, rows, columns, out)
