"""Patches as columns of a product, and 1x1 convolutions that are none although their image is kept so."""

from __future__ import annotations

from trtnet.graph import Tensor
from trtnet.graph.tensors.operand import Operand
from trtnet.ops.arguments.window_arguments import Window
from trtnet.ops.convolutions.columns import BATCH_SECOND, columns
from trtnet.ops.convolutions.conv import convolution
from trtnet.ops.convolutions.kinds import Constant
from trtnet.ops.formulations import form
from trtnet.ops.shapes.turned import turn


@form("pixelwise", "convolution")
def pixel_convolution(x: Tensor, weight: Constant, bias: Operand | None) -> Tensor:
    """IConvolutionLayer of [batch, channels, height, width]."""
    return convolution(x, weight, bias, 1, 0, 1, 1, rank=2)


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
