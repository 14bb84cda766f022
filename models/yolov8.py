"""YOLOv8 (Jocher et al., Ultralytics, 2023), from an image to boxes, with the names of ultralytics' DetectionModel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source

STRIDES, BINS = (8, 16, 32), 16
"""Pixels between the places of each level; the distances that the sides of a box are means of."""


@dataclass(frozen=True)
class YOLOv8Config:
    """depth, width, max_channels: 1/3, 1/4, 1024 for n; 1/3, 1/2, 1024 for s; 2/3, 3/4, 768 for m.

    least, overlap: the score that a box has at least, and what two boxes of a class share at most. considered: the most
    places, the likeliest ones. boxes: the most results.
    """

    num_classes: int = 80
    depth: float = 1 / 3
    width: float = 0.25
    max_channels: int = 1024
    height: int = 640
    width_pixels: int = 640
    least: float = 0.25
    overlap: float = 0.7
    considered: int = 1024
    boxes: int = 300

    def channels(self, count: int) -> int:
        return int(np.ceil(min(count, self.max_channels) * self.width / 8)) * 8

    def repeats(self, count: int) -> int:
        return max(1, round(count * self.depth))


class Conv(nn.Module):
    """A convolution, its norm and SiLU."""

    def __init__(self, before: int, after: int, kernel: int = 1, stride: int = 1) -> None:
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(after, 1e-3)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return ops.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """Two convolutions, beside a shortcut or not."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        self.cv1, self.cv2, self.shortcut = Conv(channels, channels, 3), Conv(channels, channels, 3), shortcut

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C2f(nn.Module):
    """Half of the channels through bottlenecks, one after another; all that came on the way is joined."""

    def __init__(self, before: int, after: int, count: int, shortcut: bool = False) -> None:
        half = after // 2
        self.cv1, self.cv2 = Conv(before, after), Conv((2 + count) * half, after)
        self.m = nn.ModuleList(Bottleneck(half, shortcut) for _ in range(count))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        parts = list(self.cv1(x).chunk(2, 1))
        for layer in self.m:
            parts.append(layer(parts[-1]))
        return self.cv2(ops.cat(parts, 1))


class SPPF(nn.Module):
    """Maxima of 5, 9 and 13 pixels, joined."""

    def __init__(self, channels: int) -> None:
        self.cv1, self.cv2 = Conv(channels, channels // 2), Conv(2 * channels, channels)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        parts = [self.cv1(x)]
        for _ in range(3):
            parts.append(ops.max_pool2d(parts[-1], 5, 1, 2))
        return self.cv2(ops.cat(parts, 1))


class Detect(nn.Module):
    """Three levels -> corners [places, 4] in pixels and scores [places, classes]."""

    def __init__(self, channels: list[int], classes: int) -> None:
        sides, kinds = max(16, channels[0] // 4, 4 * BINS), max(channels[0], min(classes, 100))

        def branch(before: int, inside: int, after: int) -> nn.Sequential:
            return nn.Sequential(Conv(before, inside, 3), Conv(inside, inside, 3), nn.Conv2d(inside, after, 1))

        self.cv2 = nn.ModuleList(branch(each, sides, 4 * BINS) for each in channels)
        self.cv3 = nn.ModuleList(branch(each, kinds, classes) for each in channels)
        self.dfl = nn.ModuleDict({"conv": nn.Conv2d(BINS, 1, 1, bias=False)})

    def forward(self, levels: list[trtnet.Tensor]) -> tuple[trtnet.Tensor, trtnet.Tensor]:
        boxes, scores = [], []
        for x, sides, kinds, stride in zip(levels, self.cv2, self.cv3, STRIDES, strict=True):
            height, width = (int(size) for size in x.shape[2:])
            bins = ops.softmax(sides(x).reshape(1, 4, BINS, height * width).transpose(1, 2), 1)
            reach = self.dfl["conv"](bins)[0, 0].transpose(0, 1)
            rows, columns = np.mgrid[:height, :width].reshape(2, -1) + 0.5
            place = np.stack([columns, rows], 1).astype(np.float32)
            boxes.append(ops.cat([place - reach[:, :2], place + reach[:, 2:]], 1) * stride)
            scores.append(ops.sigmoid(kinds(x))[0].flatten(1).transpose(0, 1))
        return ops.cat(boxes, 0), ops.cat(scores, 0)


class YOLOv8(nn.Module):
    """image [1, 3, height, width] from 0 to 1 -> boxes [boxes, 4] of (x1, y1, x2, y2) in pixels, scores [boxes],
    classes [boxes] int64, and count [], how many of them are boxes; the likeliest first.
    """

    def __init__(self, config: YOLOv8Config) -> None:
        self.config = config
        self.inputs = {"image": trtnet.Input((1, 3, config.height, config.width_pixels))}
        a, b, c, d, e = (config.channels(count) for count in (64, 128, 256, 512, 1024))
        few, many = config.repeats(3), config.repeats(6)
        self.model = nn.ModuleList(
            [
                Conv(3, a, 3, 2), Conv(a, b, 3, 2), C2f(b, b, few, True), Conv(b, c, 3, 2), C2f(c, c, many, True),
                Conv(c, d, 3, 2), C2f(d, d, many, True), Conv(d, e, 3, 2), C2f(e, e, few, True), SPPF(e),
                nn.Identity(), nn.Identity(), C2f(e + d, d, few), nn.Identity(), nn.Identity(), C2f(d + c, c, few),
                Conv(c, c, 3, 2), nn.Identity(), C2f(c + d, d, few), Conv(d, d, 3, 2), nn.Identity(),
                C2f(d + e, e, few), Detect([c, d, e], config.num_classes),
            ]
        )  # fmt: skip

    def dense(self, image: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor]:
        """All boxes [places, 4] and their scores [places, classes]."""
        layers, x = list(self.model), image
        kept: dict[int, trtnet.Tensor] = {}
        for i in range(10):
            x = kept[i] = layers[i](x)

        def joined(up: trtnet.Tensor, other: trtnet.Tensor) -> trtnet.Tensor:
            return ops.cat([ops.interpolate(up, scale_factor=2), other], 1)

        middle = layers[12](joined(x, kept[6]))
        small = layers[15](joined(middle, kept[4]))
        medium = layers[18](ops.cat([layers[16](small), middle], 1))
        large = layers[21](ops.cat([layers[19](medium), x], 1))
        return layers[22]([small, medium, large])

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        config, (boxes, scores) = self.config, self.dense(image)
        best, kinds = ops.topk(scores, 1, 1)
        likely, places = ops.topk(best.flatten(), min(config.considered, int(scores.shape[0])))
        boxes, classes = boxes[places], kinds.flatten()[places]
        likely = ops.where(likely > config.least, likely, float("-inf"))
        chosen, count = ops.batched_nms(boxes, likely, classes, config.overlap, min(config.boxes, int(boxes.shape[0])))
        kept = ops.clamp(chosen, min=0)
        return {"boxes": boxes[kept], "scores": likely[kept], "classes": classes[kept], "count": count}


def yolov8n(config: YOLOv8Config | Source | None = None, **fields: Any) -> YOLOv8:
    """YOLOv8n, of COCO's 80 classes; the other sizes by their depth, width and max_channels."""
    return YOLOv8(OWN_NAMES.read(config, YOLOv8Config(), fields))
