"""The published PyTorch architectures that our models are measured against."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from trtnet.tools.targets.importing import imported


def import_torchvision():
    """torchvision, beside a CPU build of torch too."""
    return imported("torchvision", "torchvision")


def resnet(name: str) -> nn.Module:
    """torchvision's."""
    return getattr(import_torchvision().models, name)()


def imagenet_classes() -> list[str]:
    """The 1000 names, in the order of every ImageNet classifier's outputs."""
    return import_torchvision().models.ResNet50_Weights.DEFAULT.meta["categories"]


def efficientnet_lite0() -> nn.Module:
    """That of the package whose authors published the checkpoint."""
    from efficientnet_lite_pytorch import EfficientNet

    return EfficientNet.from_name("efficientnet-lite0")


class DoubleConv(nn.Module):
    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            layers += [nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)


class UNet(nn.Module):
    """U-Net as Pytorch-UNet's checkpoints name it; written anew, since no package publishes it."""

    def __init__(self, n_channels: int = 2, n_classes: int = 2):
        super().__init__()
        widths = (64, 128, 256, 512, 1024)
        self.inc = DoubleConv(n_channels, 64)
        for i, (narrow, wide) in enumerate(pairwise(widths), start=1):
            down, up = nn.Module(), nn.Module()
            down.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(narrow, wide))
            up.up = nn.ConvTranspose2d(wide, narrow, kernel_size=2, stride=2)
            up.conv = DoubleConv(wide, narrow)
            self.add_module(f"down{i}", down)
            self.add_module(f"up{5 - i}", up)
        self.outc = nn.Module()
        self.outc.conv = nn.Conv2d(64, n_classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        path = [self.inc(x)]
        for i in range(1, 5):
            path.append(self.get_submodule(f"down{i}").maxpool_conv(path[-1]))
        y = path.pop()
        for i in range(1, 5):
            up = self.get_submodule(f"up{i}")
            beside, y = path.pop(), up.up(y)
            rows, columns = (a - b for a, b in zip(beside.shape[2:], y.shape[2:], strict=True))
            around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
            y = up.conv(torch.cat([beside, nn.functional.pad(y, around)], dim=1))
        return self.outc.conv(y)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(conv(x).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


def randomize(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights and statistics that keep activations near 1, so that every layer matters in the comparison."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                fan_in = module.weight[0].numel()
                module.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
                module.weight.uniform_(0.5, 1.0, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
    return model.eval()
