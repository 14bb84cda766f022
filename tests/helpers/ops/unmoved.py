"""A convolution beside its own result, behind permutations that move axes of size 1 only."""

from __future__ import annotations

import torch
from torch import nn


def shuffled(y: torch.Tensor) -> torch.Tensor:
    """As channel_shuffle of one group does it."""
    return y.unflatten(1, (1, -1)).transpose(1, 2).flatten(1, 2)


def moved(y: torch.Tensor) -> torch.Tensor:
    return y.unsqueeze(1).transpose(1, 2).squeeze(2)


EXPRESSIONS = {
    "y + shuffled": lambda y: y + shuffled(y),
    "shuffled + y": lambda y: shuffled(y) + y,
    "relu(y) + shuffled": lambda y: y.relu() + shuffled(y),
    "z + shuffled z": lambda y: y.relu() + shuffled(y.relu()),
    "y + moved": lambda y: y + moved(y),
    "y * moved": lambda y: y * moved(y),
    "maximum": lambda y: torch.maximum(y, moved(y)),
    "moved batch": lambda y: y + y.unsqueeze(0).transpose(0, 1).squeeze(1),
    "moved tokens": lambda y: y + y.flatten(2).unsqueeze(1).transpose(1, 2).reshape(y.shape),
    "moved twice": lambda y: y + moved(shuffled(y)),
}
IMAGES = {"one channel": (1, 6, 8), "one row": (4, 1, 8), "one pixel": (4, 1, 1)}
"""What a permutation of images moves only axes of size 1 of."""


def to_pixels(y: torch.Tensor) -> torch.Tensor:
    """With its channels last, taken for images again."""
    return y.permute(0, 2, 3, 1).reshape(y.shape)


class Beside(nn.Module):
    """{name of the expression: that of a convolution, behind another one}."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.first, self.second = (
            nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1, groups=groups) for _ in EXPRESSIONS) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        calls = zip(EXPRESSIONS.items(), self.first, self.second, strict=True)
        return {name: second(call(first(x))) for (name, call), first, second in calls}


class Small(nn.Module):
    """Images of a shape beside themselves as pixels, between convolutions."""

    def __init__(self, image: tuple[int, int, int]) -> None:
        super().__init__()
        channels = image[0]
        self.first, self.second = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)
        self.call = to_pixels if image[1:] == (1, 1) or channels == 1 else lambda y: y.transpose(2, 3).reshape(y.shape)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.first(x)
        return {"y": self.second(y + self.call(y))}
