"""MobileNetV2 (Sandler et al., "Inverted residuals and linear bottlenecks", 2018), with torchvision's names."""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source

ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Of each row of blocks: how much wider they are inside, channels, blocks, the first one's stride."""


@dataclass(frozen=True)
class MobileNetV2Config:
    """width_mult: factor of the channels, which are multiples of 8."""

    num_classes: int = 1000
    width_mult: float = 1.0
    image_size: int = 224

    def channels(self, count: int) -> int:
        found = max(8, int(count * self.width_mult + 4) // 8 * 8)
        return found + 8 if found < 0.9 * count * self.width_mult else found


def convolution(before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution, its norm and ReLU6."""
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU6())


class InvertedResidual(nn.Module):
    """Wider, a convolution of each channel, narrower; beside a shortcut where the shape stays."""

    def __init__(self, before: int, after: int, stride: int, wider: int) -> None:
        inside = before * wider
        layers: list[nn.Module] = [convolution(before, inside)] if wider > 1 else []
        layers += [convolution(inside, inside, 3, stride, inside), nn.Conv2d(inside, after, 1, bias=False)]
        self.conv = nn.Sequential(*layers, nn.BatchNorm2d(after))
        self.has_shortcut = stride == 1 and before == after

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """image [batch, 3, 224, 224], RGB with ImageNet's mean and deviation -> logits [batch, num_classes]."""

    def __init__(self, config: MobileNetV2Config) -> None:
        self.inputs = {"image": trtnet.Input(("batch", 3, config.image_size, config.image_size))}
        width = config.channels(32)
        layers: list[nn.Module] = [convolution(3, width, 3, 2)]
        for wider, channels, count, stride in ROWS:
            for number in range(count):
                after = config.channels(channels)
                layers.append(InvertedResidual(width, after, 1 if number else stride, wider))
                width = after
        last = config.channels(int(1280 * max(1.0, config.width_mult) / config.width_mult))
        self.features = nn.Sequential(*layers, convolution(width, last))
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(last, config.num_classes))

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        return self.classifier(ops.mean(self.features(image), (2, 3)))


def mobilenet_v2(config: MobileNetV2Config | Source | None = None, **fields: Any) -> MobileNetV2:
    """MobileNetV2 of width 1."""
    return MobileNetV2(OWN_NAMES.read(config, MobileNetV2Config(), fields))
