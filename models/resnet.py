"""ResNet (He et al., "Deep residual learning for image recognition", 2015), in torchvision's form, with its names."""

from dataclasses import dataclass
from typing import Any, Literal

import trtnet
from trtnet import nn, ops
from trtnet.models.published import RESNET, Source


@dataclass(frozen=True)
class ResNetConfig:
    """torchvision's arguments; the defaults are ResNet-50's. layers: how many blocks each stage has."""

    block: Literal["basic", "bottleneck"] = "bottleneck"
    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    num_classes: int = 1000

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """The channels that each stage results in."""
        return tuple(channels * BLOCKS[self.block].expansion for channels in (64, 128, 256, 512))


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution that keeps the size at stride 1."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)


def conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """1x1 convolution."""
    return nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int, downsample: nn.Module | None) -> None:
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = downsample

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = ops.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return ops.relu(y + (self.downsample(x) if self.downsample else x))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride, "ResNet 1.5") and 1x1 convolution beside the shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, downsample: nn.Module | None) -> None:
        self.conv1 = conv1x1(in_channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv1x1(channels, channels * self.expansion)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.downsample = downsample

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = ops.relu(self.bn1(self.conv1(x)))
        y = ops.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return ops.relu(y + (self.downsample(x) if self.downsample else x))


Block = type[BasicBlock] | type[Bottleneck]
BLOCKS: dict[str, Block] = {"basic": BasicBlock, "bottleneck": Bottleneck}


def stage(block: Block, in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` blocks, the first of which changes size and channels."""
    out_channels = channels * block.expansion
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = nn.Sequential(conv1x1(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))
    first = block(in_channels, channels, stride, downsample)
    return nn.Sequential(first, *(block(out_channels, channels, 1, None) for _ in range(blocks - 1)))


class ResNet(nn.Module):
    """image [batch, 3, height, width], normalized as ImageNet's -> logits [batch, num_classes]."""

    inputs = {"image": trtnet.Input(("batch", 3, 224, 224))}

    def __init__(self, config: ResNetConfig) -> None:
        block, layers, sizes = BLOCKS[config.block], config.layers, config.hidden_sizes
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(block, 64, 64, layers[0], stride=1)
        self.layer2 = stage(block, sizes[0], 128, layers[1], stride=2)
        self.layer3 = stage(block, sizes[1], 256, layers[2], stride=2)
        self.layer4 = stage(block, sizes[2], 512, layers[3], stride=2)
        self.fc = nn.Linear(sizes[3], config.num_classes)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        x = ops.relu(self.bn1(self.conv1(image)))
        x = ops.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = ops.adaptive_avg_pool2d(x, 1)
        return self.fc(x.flatten(1))


def resnet18(config: ResNetConfig | Source | None = None, **fields: Any) -> ResNet:
    """ResNet-18."""
    return ResNet(RESNET.read(config, ResNetConfig("basic", (2, 2, 2, 2)), fields))


def resnet34(config: ResNetConfig | Source | None = None, **fields: Any) -> ResNet:
    """ResNet-34."""
    return ResNet(RESNET.read(config, ResNetConfig("basic", (3, 4, 6, 3)), fields))


def resnet50(config: ResNetConfig | Source | None = None, **fields: Any) -> ResNet:
    """ResNet-50."""
    return ResNet(RESNET.read(config, ResNetConfig("bottleneck", (3, 4, 6, 3)), fields))


def resnet101(config: ResNetConfig | Source | None = None, **fields: Any) -> ResNet:
    """ResNet-101."""
    return ResNet(RESNET.read(config, ResNetConfig("bottleneck", (3, 4, 23, 3)), fields))


def resnet152(config: ResNetConfig | Source | None = None, **fields: Any) -> ResNet:
    """ResNet-152."""
    return ResNet(RESNET.read(config, ResNetConfig("bottleneck", (3, 8, 36, 3)), fields))
