"""By kind of operation, typical networks that it is in, as PyTorch modules, and the shapes of their inputs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from helpers.ops.convolution_networks import convolution_rows
from helpers.ops.rearranging_networks import rearranging_rows
from helpers.ops.row import Row
from torch import nn


class Excitation(nn.Module):
    """Squeeze and excitation of an image."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.pool, self.fc1, self.fc2 = (
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.Conv2d(squeezed, channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(self.pool(x)))))


class Gated(nn.Module):
    """The multilayer perceptron of a decoder, with its norm."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.gate, self.up, self.down = nn.Linear(width, inner), nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Attention(nn.Module):
    """Queries, keys and values of separate products, and the attention of a vision transformer by its definition."""

    def __init__(self, width: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        q, k, v = (f(x).reshape(batch, length, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class OneQuery(nn.Module):
    """Attention of one token to a cache, seven queries a key head."""

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)


def inverted(activation: type[nn.Module]) -> nn.Module:
    """The first half of an inverted residual."""
    return nn.Sequential(
        nn.Conv2d(24, 144, 1), nn.BatchNorm2d(144), activation(),
        nn.Conv2d(144, 144, 3, padding=1, groups=144), nn.BatchNorm2d(144), activation(), nn.Conv2d(144, 24, 1),
    )  # fmt: skip


class Branches(nn.Module):
    """RepVGG's block as it is trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.large, self.small = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norms[0](self.large(x)) + self.norms[1](self.small(x)) + self.norms[2](x))


class NextBlock(nn.Module):
    """ConvNeXt's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.large, self.norm = nn.Conv2d(channels, channels, 7, padding=3, groups=channels), nn.LayerNorm(channels)
        self.one, self.two = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.rand(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.large(x).permute(0, 2, 3, 1))
        return x + self.two(F.gelu(self.one(y))).permute(0, 3, 1, 2) * self.scale


def blocks(channels: int) -> nn.Module:
    return nn.Sequential(NextBlock(channels), NextBlock(channels))


def mixer(channels: int, kernel: int) -> nn.Module:
    """ConvMixer's block without its shortcut."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel, groups=channels, padding=kernel // 2), nn.GELU(),
        nn.Conv2d(channels, channels, 1), nn.GELU(),
    )  # fmt: skip


def perceptron(width: int = 768) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


def pixel_perceptron(channels: int) -> nn.Module:
    """PoolFormer's."""
    inner = nn.Conv2d(channels, 4 * channels, 1), nn.GELU(), nn.Conv2d(4 * channels, channels, 1)
    return nn.Sequential(nn.GroupNorm(1, channels), *inner)


class PoolBlock(nn.Module):
    """PoolFormer's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.perceptron = nn.GroupNorm(1, channels), pixel_perceptron(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        x = x + (F.avg_pool2d(y, 3, 1, 1, count_include_pad=False) - y)
        return x + self.perceptron(x)


class DepthwisePerceptron(nn.Module):
    """PVTv2's: a depthwise convolution inside, of images of so many pixels in each row and column."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.norm, self.fc1 = nn.LayerNorm(channels), nn.Linear(channels, 4 * channels)
        self.dwconv = nn.Conv2d(4 * channels, 4 * channels, 3, 1, 1, groups=4 * channels)
        self.fc2, self.size = nn.Linear(4 * channels, channels), size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fc1(self.norm(x)).transpose(1, 2)
        y = self.dwconv(y.reshape(*y.shape[:2], self.size, self.size))
        return x + self.fc2(F.gelu(y.flatten(2).transpose(1, 2)))


def resnext() -> nn.Module:
    grouped = nn.Conv2d(128, 128, 3, padding=1, groups=32)
    return nn.Sequential(nn.Conv2d(256, 128, 1), nn.ReLU(), grouped, nn.ReLU(), nn.Conv2d(128, 256, 1))


def diffusion() -> nn.Module:
    return nn.Sequential(nn.GroupNorm(32, 320), nn.SiLU(), nn.Conv2d(320, 320, 3, padding=1))


def rows() -> Iterator[Row]:
    for batch in (1, 32):
        image = (batch, 3, 224, 224)
        tokens = (batch, 197, 768)
        yield Row("thin", "3x3", lambda: nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU()), (image,))
        yield Row("patches", "16x16", lambda: nn.Sequential(nn.Conv2d(3, 768, 16, 16), nn.Flatten(2)), (image,))
        yield Row("grouped", "ResNeXt block", resnext, ((batch, 256, 56, 56),))
        yield Row("pointwise", "excitation of 240", lambda: Excitation(240, 10), ((batch, 240, 28, 28),))
        yield Row("pixelwise", "PoolFormer's third", lambda: pixel_perceptron(320), ((batch, 320, 14, 14),))
        yield Row("pixelwise", "PoolFormer's fourth", lambda: pixel_perceptron(512), ((batch, 512, 7, 7),))
        for kind in ("normed_pool", "normed_pixels"):
            yield Row(
                kind,
                "PoolFormer's third",
                lambda: nn.Sequential(PoolBlock(320), PoolBlock(320)),
                ((batch, 320, 14, 14),),
            )
        yield Row("normed_rows", "perceptron of 192", lambda: perceptron(192), ((batch, 197, 192),))
        third = lambda: DepthwisePerceptron(160, 14)  # noqa: E731
        yield Row("linear_image", "PVTv2's third", third, ((batch, 196, 160),))
        yield Row("global_mean", "excitation of 672", lambda: Excitation(672, 28), ((batch, 672, 14, 14),))
        yield Row("sum", "two RepVGG blocks", lambda: nn.Sequential(Branches(48), Branches(48)), ((batch, 48, 56, 56),))
        for kind in ("depthwise", "grouped"):
            yield Row(kind, "ConvMixer's block", lambda: mixer(768, 7), ((batch, 768, 32, 32),))
            yield Row(kind, "ConvNeXt's first blocks", lambda: blocks(96), ((batch, 96, 56, 56),))
            yield Row(kind, "ConvNeXt's third blocks", lambda: blocks(384), ((batch, 384, 14, 14),))
        for kind in ("product", "layer_norm"):
            yield Row(kind, "ConvNeXt's first blocks", lambda: blocks(96), ((batch, 96, 56, 56),))
            yield Row(kind, "ConvNeXt's third blocks", lambda: blocks(384), ((batch, 384, 14, 14),))
        yield Row("silu", "inverted residual", lambda: inverted(nn.SiLU), ((batch, 24, 56, 56),))
        yield Row("hardswish", "inverted residual", lambda: inverted(nn.Hardswish), ((batch, 24, 56, 56),))
        for kind in ("accumulation", "gelu", "layer_norm"):
            yield Row(kind, "perceptron", perceptron, (tokens,))
        yield Row("product", "attention of 197", lambda: Attention(768, 12, fused=True), (tokens,))
        yield Row("attention", "attention of 197", lambda: Attention(768, 12, fused=True), (tokens,))
        yield Row("softmax", "attention of 197", lambda: Attention(768, 12, fused=False), (tokens,))
    for batch in (1, 4):
        yield Row("group_norm", "before a convolution", diffusion, ((batch, 320, 64, 64),))
    yield from convolution_rows()
    yield from rearranging_rows()
    for width, inner in ((896, 4864), (4096, 11008)):
        yield Row("row", f"gated {width}, {inner}", lambda w=width, i=inner: Gated(w, i), ((1, 1, width),))
        yield Row("rms_norm", f"gated {width}, {inner}", lambda w=width, i=inner: Gated(w, i), ((1, 1, width),))
    for keys in (1024, 4096):
        yield Row("decoding", f"one query of {keys}", OneQuery, ((1, 14, 1, 64), (1, 2, keys, 64), (1, 2, keys, 64)))
