"""U-Net (Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015).

With padded convolutions and batch norm; weight names are those of the widely used milesial/Pytorch-UNet checkpoints.
"""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import OWN_NAMES, Source


@dataclass(frozen=True)
class UNetConfig:
    """n_channels: of the image. softmax: whether the result is probabilities of the classes, not logits."""

    n_channels: int = 2
    n_classes: int = 2
    softmax: bool = False


class DoubleConv(nn.Module):
    """Twice: convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.double_conv(x)


class Down(nn.Module):
    """Half the size, twice the channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(in_channels, out_channels))

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Twice the size, half the channels, with what the contracting path saw at that size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, 2, stride=2)
        self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x: trtnet.Tensor, skip: trtnet.Tensor) -> trtnet.Tensor:
        grown = self.up(x)
        rows, columns = (
            int(a - b) if isinstance(a, int) else 0 for a, b in zip(skip.shape[2:], grown.shape[2:], strict=True)
        )
        if rows or columns:  # a side that was odd
            grown = ops.pad(grown, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return self.conv(ops.cat([skip, grown], dim=1))


class OutConv(nn.Module):
    """Channels to classes, pixel by pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: trtnet.Tensor) -> trtnet.Tensor:
        return self.conv(x)


class UNet(nn.Module):
    """image [batch, n_channels, height, width] -> [batch, n_classes, height, width].

    Sides are at least 16; named ones ("height") are multiples of 16.
    The result is logits, or with softmax=True the probabilities of the classes at each pixel.
    """

    def __init__(self, config: UNetConfig) -> None:
        self.inputs = {"image": trtnet.Input(("batch", config.n_channels, 128, 128))}
        self.softmax = config.softmax
        self.inc = DoubleConv(config.n_channels, 64)
        self.down1, self.down2 = Down(64, 128), Down(128, 256)
        self.down3, self.down4 = Down(256, 512), Down(512, 1024)
        self.up1, self.up2 = Up(1024, 512), Up(512, 256)
        self.up3, self.up4 = Up(256, 128), Up(128, 64)
        self.outc = OutConv(64, config.n_classes)

    def forward(self, image: trtnet.Tensor) -> trtnet.Tensor:
        x1 = self.inc(image)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x = self.up1(self.down4(x4), x4)
        x = self.up4(self.up3(self.up2(x, x3), x2), x1)
        logits = self.outc(x)
        return ops.softmax(logits, dim=1) if self.softmax else logits


def unet(config: UNetConfig | Source | None = None, **fields: Any) -> UNet:
    """U-Net with 31 million weights; softmax over the classes inside the network if asked."""
    return UNet(OWN_NAMES.read(config, UNetConfig(), fields))
