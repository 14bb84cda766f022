"""Layers that put values elsewhere: torch.nn's, with their arguments."""

from __future__ import annotations

from trtnet import ops
from trtnet.graph import Size, Tensor
from trtnet.nn.core.function import Function
from trtnet.nn.core.module import Module
from trtnet.ops.arguments.window_arguments import Window

Sizes = Size | tuple[Size, ...] | None
Scales = float | tuple[float, ...] | None


class Upsample(Function):
    """torch.nn.Upsample: see ops.interpolate."""

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
    """torch.nn.UpsamplingNearest2d: x [batch, channels, height, width]."""

    def __init__(self, size: Sizes = None, scale_factor: Scales = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """torch.nn.UpsamplingBilinear2d: bilinear, with aligned corners."""

    def __init__(self, size: Sizes = None, scale_factor: Scales = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)


class PixelShuffle(Function):
    """torch.nn.PixelShuffle."""

    function = staticmethod(ops.pixel_shuffle)
    upscale_factor: int


class PixelUnshuffle(Function):
    """torch.nn.PixelUnshuffle."""

    function = staticmethod(ops.pixel_unshuffle)
    downscale_factor: int


class ChannelShuffle(Function):
    """torch.nn.ChannelShuffle."""

    function = staticmethod(ops.channel_shuffle)
    groups: int


class Unfold(Function):
    """torch.nn.Unfold."""

    function = staticmethod(ops.unfold)
    kernel_size: Window
    dilation: Window = 1
    padding: Window = 0
    stride: Window = 1


class Fold(Function):
    """torch.nn.Fold."""

    function = staticmethod(ops.fold)
    output_size: Window
    kernel_size: Window
    dilation: Window = 1
    padding: Window = 0
    stride: Window = 1


class LocalResponseNorm(Function):
    """torch.nn.LocalResponseNorm."""

    function = staticmethod(ops.local_response_norm)
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


class CosineSimilarity(Function):
    """torch.nn.CosineSimilarity: see ops.cosine_similarity."""

    function = staticmethod(ops.cosine_similarity)
    dim: int = 1
    eps: float = 1e-8


class PairwiseDistance(Module):
    """torch.nn.PairwiseDistance: see ops.pairwise_distance."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return ops.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
