"""YOLO11 (Jocher and Qiu, Ultralytics, 2024), from an image to boxes, with the names of ultralytics' DetectionModel."""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source
from trtnet.models.yolo import SPPF, YOLO, Bottleneck, Conv, Detect, Joined, YOLOConfig


@dataclass(frozen=True)
class YOLO11Config(YOLOConfig):
    """depth, width, max_channels: 1/2, 1/4, 1024 for n; 1/2, 1/2, 1024 for s; 1/2, 1, 512 for m; 1, 1, 512 for l;
    1, 3/2, 512 for x. c3k: whether all levels have nested blocks, as m, l and x do; n and s have them in the lowest.
    """

    depth: float = 1 / 2
    c3k: bool = False


class C3k(nn.Module):
    """Half of the channels through two bottlenecks, joined to another half."""

    def __init__(self, channels: int) -> None:
        half = channels // 2
        self.cv1, self.cv2, self.cv3 = Conv(channels, half), Conv(channels, half), Conv(2 * half, channels)
        self.m = nn.Sequential(*(Bottleneck(half, half, True) for _ in range(2)))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.cv3(ops.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class C3k2(Joined):
    """A part of the channels through bottlenecks, or blocks of them."""

    def __init__(self, before: int, after: int, count: int, nested: bool, part: float = 0.5) -> None:
        inside = int(after * part)
        blocks = (C3k(inside) if nested else Bottleneck(inside, inside // 2, True) for _ in range(count))
        super().__init__(before, after, inside, blocks)


class Attention(nn.Module):
    """Each place looks at all others, with keys half as wide as values; where it is, a depthwise convolution tells."""

    def __init__(self, channels: int) -> None:
        self.heads = max(1, channels // 64)
        self.width = channels // self.heads
        self.qkv = Conv(channels, channels + 2 * self.heads * (self.width // 2), act=False)
        self.proj = Conv(channels, channels, act=False)
        self.pe = Conv(channels, channels, 3, groups=channels, act=False)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        of_heads = self.qkv(x).reshape(x.shape[0], self.heads, -1, x.shape[2] * x.shape[3])
        query, key, value = of_heads.split([self.width // 2, self.width // 2, self.width], 2)
        rows = (part.transpose(2, 3) for part in (query, key, value))
        found = ops.scaled_dot_product_attention(*rows).transpose(2, 3)
        return self.proj(found.reshape(*x.shape) + self.pe(value.reshape(*x.shape)))


class PSABlock(nn.Module):
    """Attention and two convolutions, each beside a shortcut."""

    def __init__(self, channels: int) -> None:
        self.attn = Attention(channels)
        self.ffn = nn.Sequential(Conv(channels, 2 * channels), Conv(2 * channels, channels, act=False))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        x = x + self.attn(x)
        return x + self.ffn(x)


class C2PSA(nn.Module):
    """Half of the channels through attention."""

    def __init__(self, channels: int, count: int) -> None:
        self.cv1, self.cv2 = Conv(channels, channels), Conv(channels, channels)
        self.m = nn.Sequential(*(PSABlock(channels // 2) for _ in range(count)))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        kept, seen = self.cv1(x).chunk(2, 1)
        return self.cv2(ops.cat([kept, self.m(seen)], 1))


def light_branch(before: int, inside: int, after: int) -> nn.Sequential:
    """Depthwise convolutions of 3x3 pixels, each followed by one of one pixel."""

    def separable(wide: int) -> nn.Sequential:
        return nn.Sequential(Conv(wide, wide, 3, groups=wide), Conv(wide, inside))

    return nn.Sequential(separable(before), separable(inside), nn.Conv2d(inside, after, 1))


class YOLO11(YOLO):
    """An image to boxes, as `trtnet.models.yolo.YOLO` says."""

    def __init__(self, config: YOLO11Config) -> None:
        a, b, c, d, e = (config.channels(count) for count in (64, 128, 256, 512, 1024))
        few, all_nested = config.repeats(2), config.c3k
        backbone = [
            Conv(3, a, 3, 2), Conv(a, b, 3, 2), C3k2(b, c, few, all_nested, 0.25), Conv(c, c, 3, 2),
            C3k2(c, d, few, all_nested, 0.25), Conv(d, d, 3, 2), C3k2(d, d, few, True), Conv(d, e, 3, 2),
            C3k2(e, e, few, True), SPPF(e), C2PSA(e, few),
        ]  # fmt: skip
        head = [
            nn.Identity(), nn.Identity(), C3k2(e + d, d, few, all_nested), nn.Identity(), nn.Identity(),
            C3k2(2 * d, c, few, all_nested), Conv(c, c, 3, 2), nn.Identity(), C3k2(c + d, d, few, all_nested),
            Conv(d, d, 3, 2), nn.Identity(), C3k2(d + e, e, few, True),
            Detect([c, d, e], config.num_classes, light_branch),
        ]  # fmt: skip
        super().__init__(config, len(backbone), [*backbone, *head])


def yolo11n(config: YOLO11Config | Source | None = None, **fields: Any) -> YOLO11:
    """YOLO11n, of COCO's 80 classes; the other sizes by their depth, width, max_channels and c3k."""
    return YOLO11(OWN_NAMES.read(config, YOLO11Config(), fields))
