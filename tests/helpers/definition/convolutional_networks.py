"""Small networks of convolutions with branches, as torchvision writes ResNet, DenseNet, GoogLeNet and ConvNeXt."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

import trtnet
from trtnet.support.backend import trt

SIZE = 12
INPUTS = {"x": trtnet.Input(("n", 3, SIZE, SIZE))}


def data(samples: int = 8, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    return {"x": np.random.default_rng(seed).standard_normal((samples, 3, SIZE, SIZE)).astype(np.float32)}


def made(model: nn.Module, seed: int = 0) -> nn.Module:
    """With random weights and batch norms that change what goes through them."""
    generator = torch.Generator().manual_seed(seed)
    for name, each in [*model.named_parameters(), *model.named_buffers()]:
        if each.dim() > 1:
            each.data.normal_(0, 1.4 / each[0].numel() ** 0.5, generator=generator)
        elif each.dtype.is_floating_point and "var" not in name and "weight" not in name:
            each.data.normal_(0, 0.2, generator=generator)
        elif each.dtype.is_floating_point and each.dim():
            each.data.uniform_(0.6, 1.5, generator=generator)
    return model.eval()


class Residual(nn.Module):
    """torchvision's BasicBlock."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        shortcut = (nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.downsample = nn.Sequential(*shortcut) if stride > 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """A stem, a block that keeps the size and one that halves it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True)
        self.layer1, self.layer2, self.fc = Residual(16, 16), Residual(16, 32, 2), nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean((2, 3)))


class Dense(nn.Module):
    """torchvision's _DenseLayer: a norm, a ReLU and a convolution of all features before it, joined."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, growth, 3, 1, 1, bias=False)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        return self.conv(torch.relu(self.norm(torch.cat(features, 1))))


class DenseNet(nn.Module):
    """Two layers of one block, whose concatenations share their parts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0, self.layer1, self.layer2 = nn.Conv2d(3, 16, 3, 1, 1), Dense(16, 16), Dense(32, 16)
        self.norm, self.classifier = nn.BatchNorm2d(48), nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = [self.conv0(x)]
        for layer in (self.layer1, self.layer2):
            features.append(layer(features))
        return self.classifier(torch.relu(self.norm(torch.cat(features, 1))).mean((2, 3)))


class Inception(nn.Module):
    """Branches of an image, joined, and a convolution of that."""

    def __init__(self) -> None:
        super().__init__()
        self.branch1, self.branch2 = nn.Conv2d(3, 16, 1), nn.Conv2d(3, 16, 3, 1, 1)
        self.conv, self.fc = nn.Conv2d(32, 16, 1), nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([torch.relu(self.branch1(x)), torch.relu(self.branch2(x)) * 3], 1)
        return self.fc(torch.relu(self.conv(joined)).mean((2, 3)))


class ConvNeXt(nn.Module):
    """A block: a convolution of each channel, a layer norm of the channels, two products, and what came in added."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.dwconv = nn.Conv2d(3, 16, 2, 2), nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        return x + self.down(torch.nn.functional.gelu(self.up(y))).permute(0, 3, 1, 2)


def scales(network: Any) -> dict[str, float]:
    """The scale of each layer of a network that quantizes, by its name."""
    made = {layer.get_output(0).name: layer for layer in network.trt}
    found = {}
    for layer in network.trt:
        if layer.type.name == "QUANTIZE":
            constant = made[layer.get_input(1).name]
            constant.__class__ = trt.IConstantLayer
            found[layer.name] = np.asarray(constant.weights).item()
    return found


def quantized_tensor(network: Any, name: str) -> str:
    """What makes the tensor that a layer quantizes: the name of that layer, without a batch norm in it."""
    (layer,) = (layer for layer in network.trt if layer.name == name)
    return str(layer.get_input(0).name)


def fake(x: torch.Tensor, scale: float) -> torch.Tensor:
    """Quantized to int8 and dequantized, by hand."""
    return (x / scale).round().clamp(-128, 127) * scale
