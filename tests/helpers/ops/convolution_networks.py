"""Networks for forms of first convolutions, and of several convolutions that are near each other."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from helpers.ops.rearranging_networks import ShuffleUnit
from helpers.ops.row import Row
from torch import nn


def stem(channels: int, kernel: int, stride: int, padding: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, channels, kernel, stride, padding), nn.ReLU())


def squeezenet() -> nn.Module:
    """SqueezeNet's first layers: of 224 x 224 pixels 111 x 111, and 55 x 55."""
    return nn.Sequential(stem(64, 3, 2, 0), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(64, 16, 1), nn.ReLU())


def normed(channels: int, outputs: int, kernel: int = 1, act: type[nn.Module] = nn.ReLU) -> nn.Module:
    """A convolution with its batch norm and activation."""
    conv = nn.Conv2d(channels, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), act())


class Fire(nn.Module):
    """SqueezeNet's."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(channels, squeezed, 1), nn.ReLU())
        self.small = nn.Sequential(nn.Conv2d(squeezed, expanded, 1), nn.ReLU())
        self.large = nn.Sequential(nn.Conv2d(squeezed, expanded, 3, padding=1), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.squeeze(x)
        return torch.cat([self.small(y), self.large(y)], 1)


class Inception(nn.Module):
    """GoogLeNet's. widths: of the 1x1 branch, of the second and third before and after, of the pooled one."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, two, second, three, third, pooled = widths
        self.one = normed(channels, one)
        self.two = nn.Sequential(normed(channels, two), normed(two, second, 3))
        self.three = nn.Sequential(normed(channels, three), normed(three, third, 3))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), normed(channels, pooled))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.one(x), self.two(x), self.three(x), self.pooled(x)], 1)


class CrossStage(nn.Module):
    """YOLOv5's C3: two halves of one image, of which one goes through a bottleneck."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.left, self.right = normed(channels, half, act=nn.SiLU), normed(channels, half, act=nn.SiLU)
        self.inner = nn.Sequential(normed(half, half, act=nn.SiLU), normed(half, half, 3, act=nn.SiLU))
        self.last = normed(channels, channels, act=nn.SiLU)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.left(x)
        return self.last(torch.cat([y + self.inner(y), self.right(x)], 1))


class Shortcut(nn.Module):
    """The first block of ResNet-50, whose shortcut is a convolution of the same image."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(normed(64, 64), normed(64, 64, 3), nn.Conv2d(64, 256, 1), nn.BatchNorm2d(256))
        self.shortcut = nn.Sequential(nn.Conv2d(64, 256, 1), nn.BatchNorm2d(256))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.inner(x) + self.shortcut(x)).relu()


class Joined(nn.Module):
    """A 1x1 convolution of two images, one of them larger before: a feature pyramid's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = normed(channels, channels, 3), normed(2 * channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.first(x), x], 1))


def separable(channels: int, outputs: int) -> nn.Module:
    """Two of Xception's: nothing between a depthwise and a 1x1 convolution."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False), normed(channels, outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs, bias=False), normed(outputs, outputs),
    )  # fmt: skip


def narrow(channels: int) -> nn.Module:
    """Convolutions of few channels, between images of more."""
    inner = (normed(channels, channels, 3) for _ in range(4))
    return nn.Sequential(normed(64, channels, 3), *inner, normed(channels, 64))


def convolution_rows() -> Iterator[Row]:
    for batch in (1, 32):
        image = ((batch, 3, 224, 224),)
        yield Row("stem", "7x7 stride 2", lambda: stem(64, 7, 2, 3), image)
        yield Row("stem", "SqueezeNet's 3x3 stride 2, 64", squeezenet, image)
        yield Row("stem", "3x3 stride 2, 32", lambda: stem(32, 3, 2, 1), image)
        yield Row("stem", "3x3 stride 2, 64", lambda: stem(64, 3, 2, 1), image)
        yield Row("siblings", "two fires of 16", lambda: fires(16), ((batch, 128, 55, 55),))
        yield Row("siblings", "two fires of 48", lambda: fires(48), ((batch, 384, 13, 13),))
        yield Row("siblings", "CSP block of 64", lambda: CrossStage(64), ((batch, 64, 80, 80),))
        yield Row("siblings", "CSP block of 256", lambda: CrossStage(256), ((batch, 256, 20, 20),))
        yield Row("siblings", "ResNet's first block", Shortcut, ((batch, 64, 56, 56),))
        for kind in ("siblings", "cat"):
            yield Row(kind, "GoogLeNet 3a, 3b", googlenet3, ((batch, 192, 28, 28),))
            yield Row(kind, "GoogLeNet 4b, 4c", googlenet4, ((batch, 512, 14, 14),))
        yield Row("cat", "two images of 64", lambda: Joined(64), ((batch, 64, 80, 80),))
        yield Row("cat", "two images of 256", lambda: Joined(256), ((batch, 256, 20, 20),))
        for channels, outputs, size in ((16, 32, 112), (32, 64, 112), (64, 128, 56), (128, 128, 28)):
            pair = ((batch, channels, size, size),)
            yield Row("separable", "two pairs", lambda c=channels, o=outputs: separable(c, o), pair)
        for channels, size in ((16, 56), (32, 28), (48, 28)):
            blocks = ((batch, 64, size, size),)
            yield Row("few_channels", f"four of {channels}", lambda c=channels: narrow(c), blocks)
        for channels, size in ((116, 28), (232, 14)):
            unit = ((batch, channels, size, size),)
            yield Row(
                "separable", "two shuffle units", lambda c=channels: nn.Sequential(ShuffleUnit(c), ShuffleUnit(c)), unit
            )
            yield Row(
                "unaligned", "four shuffle units", lambda c=channels: nn.Sequential(*map(ShuffleUnit, [c] * 4)), unit
            )


def fires(squeezed: int) -> nn.Module:
    return nn.Sequential(*(Fire(8 * squeezed, squeezed, 4 * squeezed) for _ in range(2)))


def googlenet3() -> nn.Module:
    return nn.Sequential(Inception(192, (64, 96, 128, 16, 32, 32)), Inception(256, (128, 128, 192, 32, 96, 64)))


def googlenet4() -> nn.Module:
    return nn.Sequential(Inception(512, (160, 112, 224, 24, 64, 64)), Inception(512, (128, 128, 256, 24, 64, 64)))
