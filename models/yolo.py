"""What the YOLOs of Ultralytics share: blocks, the way from three levels to boxes, and the suppression of boxes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.support.configuration.ranges import check_ranges

STRIDES, BINS = (8, 16, 32), 16
"""Pixels between the places of each level; the distances that the sides of a box are means of."""


@dataclass(frozen=True)
class YOLOConfig:
    """The size of a model, of its images and of its results.

    depth, width, max_channels: of a size of a family (n, s, ...). least, overlap: the score that a box has at least,
    and what two boxes of a class share at most. considered: the most places, the likeliest ones. boxes: the most
    results.
    Raises InputError for a value out of range.
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

    def __post_init__(self) -> None:
        share, pixels = "from 0 to 1", "a multiple of 32, at least 32"
        ranges = {
            "height": (self.height % 32 == 0 and self.height > 0, pixels),
            "width_pixels": (self.width_pixels % 32 == 0 and self.width_pixels > 0, pixels),
            "least": (0 <= self.least <= 1, share),
            "overlap": (0 <= self.overlap <= 1, share),
            "width": (self.width > 0, "above 0"),
            "depth": (self.depth > 0, "above 0"),
        }
        check_ranges(self, ranges, num_classes=1, max_channels=1, considered=1, boxes=1)

    def channels(self, count: int) -> int:
        return int(np.ceil(min(count, self.max_channels) * self.width / 8)) * 8

    def repeats(self, count: int) -> int:
        return max(1, round(count * self.depth))


class Conv(nn.Module):
    """A convolution, its norm and SiLU, or no SiLU."""

    def __init__(
        self, before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(after, 1e-3)
        self.act = act

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.bn(self.conv(x))
        return ops.silu(y) if self.act else y


class Bottleneck(nn.Module):
    """Two convolutions of 3x3 pixels with `inside` channels between them, beside a shortcut or not."""

    def __init__(self, channels: int, inside: int, shortcut: bool) -> None:
        self.cv1, self.cv2, self.shortcut = Conv(channels, inside, 3), Conv(inside, channels, 3), shortcut

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class Joined(nn.Module):
    """Twice `inside` channels, the latter half through blocks in turn; all that came on the way is joined."""

    def __init__(self, before: int, after: int, inside: int, blocks: Iterable[nn.Module]) -> None:
        through = list(blocks)
        self.cv1, self.cv2 = Conv(before, 2 * inside), Conv((2 + len(through)) * inside, after)
        self.m = nn.ModuleList(through)

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


Branch = Callable[[int, int, int], nn.Module]
"""(channels before, inside, after) -> what a level goes through."""


def plain_branch(before: int, inside: int, after: int) -> nn.Sequential:
    """Two convolutions of 3x3 pixels, then one of one pixel."""
    return nn.Sequential(Conv(before, inside, 3), Conv(inside, inside, 3), nn.Conv2d(inside, after, 1))


class Detect(nn.Module):
    """Three levels -> corners [places, 4] in pixels and scores [places, classes]."""

    def __init__(self, channels: Sequence[int], classes: int, of_scores: Branch = plain_branch) -> None:
        sides, kinds = max(16, channels[0] // 4, 4 * BINS), max(channels[0], min(classes, 100))
        self.cv2 = nn.ModuleList(plain_branch(each, sides, 4 * BINS) for each in channels)
        self.cv3 = nn.ModuleList(of_scores(each, kinds, classes) for each in channels)
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


class YOLO(nn.Module):
    """image [1, 3, height, width] from 0 to 1 -> boxes [boxes, 4] of (x1, y1, x2, y2) in pixels, scores [boxes],
    classes [boxes] int64, and count [], how many of them are boxes; the likeliest first.

    layers: `backbone` layers, one after another, then those of the head, by their published numbers.
    """

    def __init__(self, config: YOLOConfig, backbone: int, layers: Sequence[nn.Module]) -> None:
        self.config, self.backbone = config, backbone
        self.inputs = {"image": trtnet.Input((1, 3, config.height, config.width_pixels))}
        self.model = nn.ModuleList(layers)

    def dense(self, image: trtnet.Tensor) -> tuple[trtnet.Tensor, trtnet.Tensor]:
        """All boxes [places, 4] and their scores [places, classes]."""
        layers, kept = list(self.model), [image]
        for layer in layers[: self.backbone]:
            kept.append(layer(kept[-1]))
        head, last = layers[self.backbone :], kept[-1]

        def joined(up: trtnet.Tensor, other: trtnet.Tensor) -> trtnet.Tensor:
            return ops.cat([ops.interpolate(up, scale_factor=2), other], 1)

        middle = head[2](joined(last, kept[7]))
        small = head[5](joined(middle, kept[5]))
        medium = head[8](ops.cat([head[6](small), middle], 1))
        large = head[11](ops.cat([head[9](medium), last], 1))
        return head[12]([small, medium, large])

    def forward(self, image: trtnet.Tensor) -> dict[str, trtnet.Tensor]:
        config, (boxes, scores) = self.config, self.dense(image)
        best, kinds = ops.topk(scores, 1, 1)
        likely, places = ops.topk(best.flatten(), min(config.considered, int(scores.shape[0])))
        boxes, classes = boxes[places], kinds.flatten()[places]
        likely = ops.where(likely > config.least, likely, float("-inf"))
        chosen, count = ops.batched_nms(boxes, likely, classes, config.overlap, min(config.boxes, int(boxes.shape[0])))
        kept = ops.clamp(chosen, min=0)
        return {"boxes": boxes[kept], "scores": likely[kept], "classes": classes[kept], "count": count}
