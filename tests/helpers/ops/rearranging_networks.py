"""Networks that put elements in other places: images at other sizes, windows, patches, shuffles, masks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from helpers.ops.row import Row
from torch import nn


def decoding(channels: int, mode: str) -> nn.Module:
    """A step of a decoder of images."""
    return nn.Sequential(nn.Upsample(scale_factor=2.0, mode=mode), nn.Conv2d(channels, channels // 2, 3, padding=1))


def subpixels(channels: int, made: int, factor: int) -> nn.Module:
    """The end of a network for super-resolution."""
    return nn.Sequential(
        nn.Conv2d(channels, made * factor**2, 3, padding=1), nn.PixelShuffle(factor), nn.Conv2d(made, 3, 3, padding=1)
    )


class ShiftedWindows(nn.Module):
    """Swin's block without its attention: rolled windows of 7 x 7 and back, between products."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.one, self.two = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, size, _, width = x.shape
        count = size // 7
        y = torch.roll(self.norm(x), (-3, -3), (1, 2)).view(n, count, 7, count, 7, width)
        y = self.two(F.gelu(self.one(y.permute(0, 1, 3, 2, 4, 5).reshape(n * count * count, 49, width))))
        y = y.view(n, count, count, 7, 7, width).permute(0, 1, 3, 2, 4, 5).reshape(n, size, size, width)
        return x + torch.roll(y, (3, 3), (1, 2))


class MaskedWindows(nn.Module):
    """Attention of Swin's shifted windows of 7 x 7, with its bias and the mask that torchvision makes in each block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.table = nn.Parameter(torch.randn(169, heads) / 50)
        self.register_buffer("index", torch.arange(49 * 49) * 13 % 169)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, size, _, width = x.shape
        count = size // 7
        y = torch.roll(self.norm(x), (-3, -3), (1, 2)).view(n, count, 7, count, 7, width)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(n * count**2, 49, width)
        bias = self.table[self.index].view(49, 49, self.heads).permute(2, 0, 1).contiguous().unsqueeze(0)
        q, k, v = self.qkv(y).reshape(n * count**2, 49, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1) + bias
        scores = scores.view(n, count**2, self.heads, 49, 49) + self.mask(x, size, count).unsqueeze(1).unsqueeze(0)
        y = scores.view(-1, self.heads, 49, 49).softmax(-1) @ v
        y = self.out(y.transpose(1, 2).reshape(n * count**2, 49, width)).view(n, count, count, 7, 7, width)
        return x + torch.roll(y.permute(0, 1, 3, 2, 4, 5).reshape(n, size, size, width), (3, 3), (1, 2))

    def mask(self, x: torch.Tensor, size: int, count: int) -> torch.Tensor:
        parts = (slice(0, -7), slice(-7, -3), slice(-3, None))
        places = x.new_zeros((size, size))
        for number, (rows, columns) in enumerate((r, c) for r in parts for c in parts):
            places[rows, columns] = number
        places = places.view(count, 7, count, 7).permute(0, 2, 1, 3).reshape(count**2, 49)
        places = places.unsqueeze(1) - places.unsqueeze(2)
        return places.masked_fill(places != 0, -100.0).masked_fill(places == 0, 0.0)


class PatchMerging(nn.Module):
    """Swin's, as torchvision writes it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        blocks = (x[:, 0::2, 0::2, :], x[:, 1::2, 0::2, :], x[:, 0::2, 1::2, :], x[:, 1::2, 1::2, :])
        return self.reduction(self.norm(torch.cat(blocks, -1)))


class Focus(nn.Module):
    """YOLOv5's first layer."""

    def __init__(self, made: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(12, made, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        blocks = (x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2])
        return F.silu(self.conv(torch.cat(blocks, 1)))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            nn.Conv2d(half, half, 1), nn.BatchNorm2d(half), nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1, groups=half), nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1), nn.BatchNorm2d(half), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = x.shape
        left, right = x.chunk(2, 1)
        y = torch.cat((left, self.branch(right)), 1).view(n, 2, channels // 2, height, width)
        return y.transpose(1, 2).contiguous().view(n, channels, height, width)


def masked(width: int, heads: int) -> nn.Module:
    return nn.Sequential(MaskedWindows(width, heads), MaskedWindows(width, heads))


def shuffle_units(channels: int) -> nn.Module:
    return nn.Sequential(*(ShuffleUnit(channels) for _ in range(3)))


def rearranging_rows() -> Iterator[Row]:
    for batch in (1, 32):
        yield Row("merging", "patches of 96", lambda: PatchMerging(96), ((batch, 56, 56, 96),))
        yield Row("merging", "focus", lambda: Focus(32), ((batch, 3, 640, 640),))
        for kind in ("regrouping", "roll"):
            yield Row(kind, "windows of 96", lambda: ShiftedWindows(96), ((batch, 56, 56, 96),))
            yield Row(kind, "windows of 384", lambda: ShiftedWindows(384), ((batch, 14, 14, 384),))
        for kind in ("regrouping", "shuffled"):
            for channels, size in ((116, 28), (464, 7)):
                shape = (batch, channels, size, size)
                yield Row(kind, f"three shuffle units of {channels}", lambda c=channels: shuffle_units(c), (shape,))
        for width, heads, size in ((96, 3, 56), (384, 12, 14)):
            shape = (batch, size, size, width)
            for kind in ("select", "biases"):
                yield Row(kind, f"masked windows of {width}", lambda w=width, h=heads: masked(w, h), (shape,))
    for batch in (1, 4):
        yield Row(
            "upsampling",
            "before a convolution",
            lambda: decoding(256, "nearest"),
            ((batch, 256, 32, 32),),
        )
        for channels, size in ((256, 32), (64, 128)):
            image = (batch, channels, size, size)
            yield Row("interpolation", "before a convolution", lambda c=channels: decoding(c, "bilinear"), (image,))
        image, wide = (batch, 64, 128, 128), (batch, 3, 256, 256)
        yield Row("pixel_shuffle", "64 channels by 2", lambda: subpixels(64, 64, 2), (image,))
        yield Row("pixel_shuffle", "64 channels to 3 by 4", lambda: subpixels(64, 3, 4), (image,))
        yield Row(
            "pixel_unshuffle",
            "before a convolution",
            lambda: nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 64, 3, padding=1)),
            (wide,),
        )
