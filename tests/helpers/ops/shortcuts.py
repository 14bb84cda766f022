"""Modules that add, subtract and multiply what a convolution computes and what was before it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
CHANNELS = 32
CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "3x3": lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
    "1x1": lambda: nn.Conv2d(CHANNELS, CHANNELS, 1),
    "groups": lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=2),
    "depthwise": lambda: nn.Conv2d(CHANNELS, CHANNELS, (1, 7), padding=(0, 3), groups=CHANNELS),
    "transposed": lambda: nn.ConvTranspose2d(CHANNELS, CHANNELS, 3, padding=1),
    "normed": lambda: nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False), nn.BatchNorm2d(CHANNELS)),
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "none": nn.Identity}
EXPRESSIONS: dict[str, Function] = {
    "x + a": lambda x, a: x + a,
    "a + x": lambda x, a: a + x,
    "x - a": lambda x, a: x - a,
    "x * a": lambda x, a: x * a,
    "relu(x + a)": lambda x, a: torch.relu(x + a),
    "x + a / 2": lambda x, a: x + a / 2,
    "maximum(x, a)": torch.maximum,
}


class Block(nn.Module):
    def __init__(self, convolution: str, activation: str, function: Function) -> None:
        super().__init__()
        self.convolution, self.activation = CONVOLUTIONS[convolution](), ACTIVATIONS[activation]()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, self.activation(self.convolution(x)))


class Branches(nn.Module):
    """The sum of two convolutions of one image, each with its activation."""

    def __init__(self, convolution: str, activation: str) -> None:
        super().__init__()
        self.first, self.second = CONVOLUTIONS[convolution](), CONVOLUTIONS[convolution]()
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.activation(self.first(x)), self.activation(self.second(x))
        return a + b


class Shortcuts(nn.Module):
    """Two blocks of each expression, one after the other, of one image."""

    def __init__(self, convolution: str, activation: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, CHANNELS, 1)
        pairs = {
            name: nn.Sequential(*(Block(convolution, activation, function) for _ in range(2)))
            for name, function in EXPRESSIONS.items()
        }
        self.names = [*pairs, "a + b"]
        self.branches = nn.ModuleList([*pairs.values(), Branches(convolution, activation)])

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = torch.relu(self.stem(x))
        return {name: branch(x) for name, branch in zip(self.names, self.branches, strict=True)}
