"""Layers that rearrange values: torch.nn's, with their arguments."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Size, Tensor
from trtnet.nn.core.function import Function
from trtnet.nn.core.module import Module
from trtnet.ops.arguments.window_arguments import Window

Sizes = Size | tuple[Size, ...] | None
Scales = float | tuple[float, ...] | None


class Upsample(Function):
    """torch.nn.Upsample: x [batch, channels, ...] -> [batch, channels, *size].

    x: floating or uint8. size or scale_factor, mode, align_corners: as `ops.interpolate` takes them. Returns the dtype
    of `x`.
    Weights: none.
    Layer: that of `ops.interpolate`.
    Raises LayerError for another mode or rank.
    """

    function = staticmethod(ops.interpolate)
    size: Sizes = None
    scale_factor: Scales = None
    mode: str = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    @property
    def name(self) -> str:
        """What torch calls it."""
        return type(self).__name__

    def __post_init__(self) -> None:
        scale = self.scale_factor
        self.scale_factor = tuple(map(float, scale)) if isinstance(scale, tuple) else float(scale) if scale else None


class UpsamplingNearest2d(Upsample):
    """torch.nn.UpsamplingNearest2d: x [batch, channels, height, width] -> [batch, channels, *size].

    x: floating or uint8. size or scale_factor: a number or a pair. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.interpolate` in its mode "nearest".
    Raises LayerError for another rank.
    """

    def __init__(self, size: Sizes = None, scale_factor: Scales = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """torch.nn.UpsamplingBilinear2d: x [batch, channels, height, width] -> [batch, channels, *size].

    x: floating or uint8; corners are aligned. size or scale_factor: a number or a pair. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.interpolate` in its mode "bilinear".
    Raises LayerError for another rank.
    """

    def __init__(self, size: Sizes = None, scale_factor: Scales = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)


class PixelShuffle(Function):
    """torch.nn.PixelShuffle: x [..., channels r^2, height, width] -> [..., channels, height r, width r].

    x: any dtype. upscale_factor: r, an int. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pixel_shuffle`.
    Raises LayerError for a number of channels that r^2 does not divide.
    """

    function = staticmethod(ops.pixel_shuffle)
    upscale_factor: int


class PixelUnshuffle(Function):
    """torch.nn.PixelUnshuffle: x [..., channels, height r, width r] -> [..., channels r^2, height, width].

    x: any dtype. downscale_factor: r, an int. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.pixel_unshuffle`.
    Raises LayerError for sizes that r does not divide.
    """

    function = staticmethod(ops.pixel_unshuffle)
    downscale_factor: int


class ChannelShuffle(Function):
    """torch.nn.ChannelShuffle: x [batch, channels, ...] -> the same shape.

    x: any dtype. groups: an int. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.channel_shuffle`.
    Raises LayerError for a number of channels that the groups do not divide.
    """

    function = staticmethod(ops.channel_shuffle)
    groups: int


class Unfold(Function):
    """torch.nn.Unfold: x [batch, channels, height, width] -> [batch, channels * kernel, blocks].

    x: any dtype, with or without a batch. kernel_size, dilation, padding, stride: ints or pairs. Returns the dtype of
    `x`.
    Weights: none.
    Layer: that of `ops.unfold`.
    Raises LayerError for another rank, and for a window larger than the padded image.
    """

    function = staticmethod(ops.unfold)
    kernel_size: Window
    dilation: Window = 1
    padding: Window = 0
    stride: Window = 1


class Fold(Function):
    """torch.nn.Fold: x [batch, channels * kernel, blocks] -> [batch, channels, *output_size].

    x: floating. kernel_size, dilation, padding, stride: ints or pairs. Returns the dtype of `x`.
    Weights: none.
    Layer: that of `ops.fold`.
    Raises LayerError for rows that are not a multiple of the number of elements of the kernel.
    """

    function = staticmethod(ops.fold)
    output_size: Window
    kernel_size: Window
    dilation: Window = 1
    padding: Window = 0
    stride: Window = 1


class LocalResponseNorm(Function):
    """torch.nn.LocalResponseNorm: x [batch, channels, ...] -> the same shape.

    x: floating. size: the number of neighbouring channels. Returns the shape and dtype of `x`.
    Weights: none.
    Layer: that of `ops.local_response_norm`.
    Raises LayerError for integers.
    """

    function = staticmethod(ops.local_response_norm)
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


class CosineSimilarity(Function):
    """torch.nn.CosineSimilarity: x1, x2 [..., n, ...] -> [..., ...] without `dim`.

    x1, x2: floating, shapes that broadcast. Returns torch's promoted dtype.
    Weights: none.
    Layer: that of `ops.cosine_similarity`.
    Raises LayerError for shapes that do not broadcast.
    """

    function = staticmethod(ops.cosine_similarity)
    dim: int = 1
    eps: float = 1e-8


class PairwiseDistance(Module):
    """torch.nn.PairwiseDistance: x1, x2 [..., n] -> [...], or [..., 1] with keepdim.

    x1, x2: floating, shapes that broadcast. Returns torch's promoted dtype.
    Weights: none.
    Layer: that of `ops.pairwise_distance`.
    Raises LayerError for shapes that do not broadcast.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return ops.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
