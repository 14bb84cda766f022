"""YOLOv8 (Jocher et al., Ultralytics, 2023), from an image to boxes, with the names of ultralytics' DetectionModel."""

from dataclasses import dataclass
from typing import Any

from trtnet import nn
from trtnet.models.published import OWN_NAMES, Source
from trtnet.models.yolo import SPPF, YOLO, Bottleneck, Conv, Detect, Joined, YOLOConfig


@dataclass(frozen=True)
class YOLOv8Config(YOLOConfig):
    """depth, width, max_channels: 1/3, 1/4, 1024 for n; 1/3, 1/2, 1024 for s; 2/3, 3/4, 768 for m."""


class C2f(Joined):
    """Half of the channels through bottlenecks."""

    def __init__(self, before: int, after: int, count: int, shortcut: bool = False) -> None:
        half = after // 2
        super().__init__(before, after, half, (Bottleneck(half, half, shortcut) for _ in range(count)))


class YOLOv8(YOLO):
    """An image to boxes, as `trtnet.models.yolo.YOLO` says."""

    def __init__(self, config: YOLOv8Config) -> None:
        a, b, c, d, e = (config.channels(count) for count in (64, 128, 256, 512, 1024))
        few, many = config.repeats(3), config.repeats(6)
        backbone = [
            Conv(3, a, 3, 2), Conv(a, b, 3, 2), C2f(b, b, few, True), Conv(b, c, 3, 2), C2f(c, c, many, True),
            Conv(c, d, 3, 2), C2f(d, d, many, True), Conv(d, e, 3, 2), C2f(e, e, few, True), SPPF(e),
        ]  # fmt: skip
        head = [
            nn.Identity(), nn.Identity(), C2f(e + d, d, few), nn.Identity(), nn.Identity(), C2f(d + c, c, few),
            Conv(c, c, 3, 2), nn.Identity(), C2f(c + d, d, few), Conv(d, d, 3, 2), nn.Identity(),
            C2f(d + e, e, few), Detect([c, d, e], config.num_classes),
        ]  # fmt: skip
        super().__init__(config, len(backbone), [*backbone, *head])


def yolov8n(config: YOLOv8Config | Source | None = None, **fields: Any) -> YOLOv8:
    """YOLOv8n, of COCO's 80 classes; the other sizes by their depth, width and max_channels."""
    return YOLOv8(OWN_NAMES.read(config, YOLOv8Config(), fields))
